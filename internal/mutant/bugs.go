package mutant

// The planted bugs. Changes says what each of them does.
const (
	SkipImmortalTest      ID = "skip-immortal-test"
	DoubleRelease         ID = "double-release"
	NoRetire              ID = "no-retire"
	PopHandsOver          ID = "pop-hands-over"
	ForgottenIncRef       ID = "forgotten-incref"
	DeadKeysLost          ID = "dead-keys-lost"
	BlockLost             ID = "block-lost"
	ChildKept             ID = "child-kept"
	MemoryKept            ID = "memory-kept"
	QueueSubtracts        ID = "queue-subtracts"
	MergeForgets          ID = "merge-forgets"
	FinalizesTwice        ID = "finalizes-twice"
	WeakFromZero          ID = "weak-from-zero"
	EdgeTwice             ID = "edge-twice"
	OwnerFreesQueued      ID = "owner-frees-queued"
	MergeLate             ID = "merge-late"
	WrongPlace            ID = "wrong-place"
	FrozenWritten         ID = "frozen-written"
	CopiedTwice           ID = "copied-twice"
	CASLies               ID = "cas-lies"
	DetachLoses           ID = "detach-loses"
	GraceAtOnce           ID = "grace-at-once"
	StoreKeeps            ID = "store-keeps"
	KeyUncounted          ID = "key-uncounted"
	TombstoneStops        ID = "tombstone-stops"
	RebuildLoses          ID = "rebuild-loses"
	GrowDrops             ID = "grow-drops"
	ClearKeeps            ID = "clear-keeps"
	ExtendUncounted       ID = "extend-uncounted"
	VersionKept           ID = "version-kept"
	WeakKept              ID = "weak-kept"
	FinalizerLost         ID = "finalizer-lost"
	EdgeMissed            ID = "edge-missed"
	RootMissed            ID = "root-missed"
	ImmortaliseShallow    ID = "immortalise-shallow"
	RemoteLost            ID = "remote-lost"
	LentCollected         ID = "lent-collected"
	LentByOwner           ID = "lent-by-owner"
	FreedTwice            ID = "freed-twice"
	FreezeUnvalidated     ID = "freeze-unvalidated"
	SlotUnchecked         ID = "slot-unchecked"
	ChecksumSkipped       ID = "checksum-skipped"
	UnloadOverlooks       ID = "unload-overlooks"
	SharedAsUsed          ID = "shared-as-used"
	SharedWeakLost        ID = "shared-weak-lost"
	SharedReused          ID = "shared-reused"
	LimitIgnored          ID = "limit-ignored"
	ScopeForgets          ID = "scope-forgets"
	BornKept              ID = "born-kept"
	DrainLost             ID = "drain-lost"
	TryIncWrites          ID = "try-inc-writes"
	TryIncTouches         ID = "try-inc-touches"
	TryIncThaws           ID = "try-inc-thaws"
	NeverSticky           ID = "never-sticky"
	QueueGaveUp           ID = "queue-gave-up"
	PendingLost           ID = "pending-lost"
	StopEarly             ID = "stop-early"
	JSONLeaks             ID = "json-leaks"
	DictPopHandsOver      ID = "dict-pop-hands-over"
	DecCounts             ID = "dec-counts"
	CascadeCounts         ID = "cascade-counts"
	WeakMarks             ID = "weak-marks"
	IncLost               ID = "inc-lost"
	MergeLoses            ID = "merge-loses"
	DeadRevived           ID = "dead-revived"
	StickyForgotten       ID = "sticky-forgotten"
	OpenKept              ID = "open-kept"
	GoalEarly             ID = "goal-early"
	ReaderForgotten       ID = "reader-forgotten"
	ReaderAsleep          ID = "reader-asleep"
	OrphansKept           ID = "orphans-kept"
	QueueStays            ID = "queue-stays"
	EntryReused           ID = "entry-reused"
	DeadKeyEarly          ID = "dead-key-early"
	UpdateUncounted       ID = "update-uncounted"
	CollectUnsettled      ID = "collect-unsettled"
	GarbageWeakKept       ID = "garbage-weak-kept"
	RevivedFreed          ID = "revived-freed"
	MarkShallow           ID = "mark-shallow"
	SpanReturned          ID = "span-returned"
	InternKept            ID = "intern-kept"
	BodyDirty             ID = "body-dirty"
	LengthUnchecked       ID = "length-unchecked"
	UnloadOverlooksMortal ID = "unload-overlooks-mortal"
	UnloadWeakKept        ID = "unload-weak-kept"
	VersionFrozen         ID = "version-frozen"
	HashUnchecked         ID = "hash-unchecked"
	IDsReused             ID = "ids-reused"
	SharedWritten         ID = "shared-written"
	GILShared             ID = "gil-shared"
	DropForgotten         ID = "drop-forgotten"
	EnterEarly            ID = "enter-early"
	Unsealed              ID = "unsealed"
	RootUnchecked         ID = "root-unchecked"
	TurnIgnored           ID = "turn-ignored"
)

// Changes says what a planted bug does.
var Changes = map[ID]string{
	SkipImmortalTest:      "IncRefs counts immortals too",
	DoubleRelease:         "List.Set and Dict.Set release the old value twice",
	NoRetire:              "what leaves a slot is released at once in lock-free mode",
	PopHandsOver:          "List.Pop gives the slot's count to the caller",
	ForgottenIncRef:       "List.Set takes no reference to the new item",
	DeadKeysLost:          "a dict's rebuild forgets the keys of dead entries",
	BlockLost:             "a container's old block is not given back",
	ChildKept:             "an object's death leaves its children alive",
	MemoryKept:            "the memory of a dead leaf is not given back",
	QueueSubtracts:        "a foreign decrement that queues also lowers the count",
	MergeForgets:          "a merge does not ask whether the object is immortal",
	FinalizesTwice:        "a finalizer leaves no note that it was called",
	WeakFromZero:          "a weak get increments without asking whether the object is dead",
	EdgeTwice:             "the collector counts a reference twice",
	OwnerFreesQueued:      "the owner's last own reference kills an object that is queued",
	MergeLate:             "a merge clears local and owner after it has published merged",
	WrongPlace:            "List.Insert is off by one in lock-free mode",
	FrozenWritten:         "List.At stores to a frozen list what is there already",
	CopiedTwice:           "Freeze copies a shared object for each reference to it",
	CASLies:               "a Cell's compare and swap that has lost a race says that it has won",
	DetachLoses:           "a thread that detaches forgets what it has retired",
	GraceAtOnce:           "every grace period has passed",
	StoreKeeps:            "Cell.Store does not release the old value",
	KeyUncounted:          "Dict.Set takes no reference to a new key",
	TombstoneStops:        "a lookup ends at a dead entry with its key",
	RebuildLoses:          "a dict's rebuild leaves its third entry out",
	GrowDrops:             "a list that grows loses its last item",
	ClearKeeps:            "List.Clear releases nothing",
	ExtendUncounted:       "List.Extend takes no references",
	VersionKept:           "a container does not raise its version when it changes",
	WeakKept:              "a death empties no weak reference",
	FinalizerLost:         "an object that is to be finalized is forgotten",
	EdgeMissed:            "the collector counts no reference",
	RootMissed:            "the collector takes what one reference from outside holds for garbage",
	ImmortaliseShallow:    "Immortalize stops at what it is given",
	RemoteLost:            "a slot that another thread frees is lost",
	LentCollected:         "what was freed of a span that was lent is taken in by its former owner",
	LentByOwner:           "spans of a cache are lent while its owner allocates from it",
	FreedTwice:            "a slot that another thread has freed is taken in twice",
	FreezeUnvalidated:     "Freeze does not look whether something has changed meanwhile",
	SlotUnchecked:         "opening an image takes any word for a reference",
	ChecksumSkipped:       "opening an image does not compare the objects' checksum",
	UnloadOverlooks:       "Unload does not look into what was born immortal",
	SharedAsUsed:          "a worker takes free slots of the parent for used ones",
	SharedWeakLost:        "weak references do not travel to a worker",
	SharedReused:          "a worker puts new objects on the parent's pages",
	LimitIgnored:          "the memory limit is not looked at",
	ScopeForgets:          "a scope releases nothing",
	BornKept:              "a birth that has failed gives up nothing that it held",
	DrainLost:             "the queue's reference to an object that is merged is lost",
	TryIncWrites:          "a weak get counts an immortal",
	TryIncTouches:         "a weak get adds zero to the count of an immortal",
	TryIncThaws:           "a weak get leaves a count at the edge of its band",
	QueueGaveUp:           "a reference that finds its object merged is not given up",
	PendingLost:           "what is due by a thread that detaches is due to nobody",
	NeverSticky:           "a shared count has no bands",
	StopEarly:             "a stop of the world waits for nobody",
	JSONLeaks:             "a document that has failed is not given up",
	DictPopHandsOver:      "Dict.Pop gives the slot's count to the caller",
	DecCounts:             "DecRefs counts immortals too",
	CascadeCounts:         "a death counts the immortals that the dead object led to",
	WeakMarks:             "a weak reference to an immortal marks its header",
	IncLost:               "an increment of an object that another thread owns is lost",
	MergeLoses:            "a merge forgets the owner's references",
	DeadRevived:           "a weak get of a dead object succeeds",
	StickyForgotten:       "nobody asks for an object whose count is sticky to be immortalised",
	OpenKept:              "a batch of retired things that is not full waits for ever",
	GoalEarly:             "retired things wait for the period that was current when they left",
	ReaderForgotten:       "a grace period waits for no reader",
	ReaderAsleep:          "a reader that has been offline for long comes back unseen",
	OrphansKept:           "nobody releases what threads that are gone have retired",
	QueueStays:            "nobody merges for a thread that is away",
	EntryReused:           "a dict gives the place of its last entry, deleted, to the next one",
	DeadKeyEarly:          "Dict.Delete retires the key that the rebuild will retire",
	UpdateUncounted:       "Dict.Update takes no references to values",
	CollectUnsettled:      "the collector does not release what is retired first",
	GarbageWeakKept:       "the collector empties no weak reference to garbage",
	RevivedFreed:          "the collector frees what a finalizer has brought back",
	MarkShallow:           "the collector does not look into what it has reached",
	SpanReturned:          "a span with one block in use is given back",
	InternKept:            "a death leaves the table of equal strings as it is",
	BodyDirty:             "a new object's body is not zeroed",
	LengthUnchecked:       "opening an image does not compare lengths with bodies",
	UnloadOverlooksMortal: "Unload does not look into what is counted",
	UnloadWeakKept:        "Unload leaves weak references as they are",
	VersionFrozen:         "a frozen record keeps its version",
	HashUnchecked:         "opening an image believes the hash of a tuple",
	IDsReused:             "a worker gives out the ids of the parent's threads",
	SharedWritten:         "opening a shared heap writes what is there already",
	GILShared:             "the GIL is given to who asks, whoever holds it",
	DropForgotten:         "a holder of the GIL is never asked to give it up",
	EnterEarly:            "who comes while the world is stopped goes in",
	Unsealed:              "the pages of what is frozen stay writable",
	RootUnchecked:         "opening an image takes any root",
	TurnIgnored:           "who stops the world does not wait for other stops",
}
