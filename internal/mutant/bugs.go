package mutant

// The planted bugs. Changes describes each of them.
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
	ImmortalizeShallow    ID = "immortalize-shallow"
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
	ImmortalUnsettled     ID = "immortal-unsettled"
	BlindKept             ID = "blind-kept"
)

// Changes describes what each planted bug changes.
var Changes = map[ID]string{
	SkipImmortalTest:      "IncRefs counts immortals too",
	DoubleRelease:         "List.Set and Dict.Set release the old value twice",
	NoRetire:              "in lock-free mode, a reference that leaves a slot is released at once",
	PopHandsOver:          "List.Pop gives the slot's count to the caller",
	ForgottenIncRef:       "List.Set takes no reference to the new item",
	DeadKeysLost:          "a dict's rebuild forgets the keys of dead entries",
	BlockLost:             "a container's old block is not freed",
	ChildKept:             "an object's death leaves its children alive",
	MemoryKept:            "the memory of a dead leaf is not freed",
	QueueSubtracts:        "a foreign decrement that queues the object also lowers its count",
	MergeForgets:          "a merge does not test whether the object is immortal",
	FinalizesTwice:        "a finalizer's call is not recorded",
	WeakFromZero:          "a weak get increments the count of a dead object",
	EdgeTwice:             "the collector counts a reference twice",
	OwnerFreesQueued:      "the owner's last reference frees an object that is queued",
	MergeLate:             "a merge publishes the merged state before it clears local and owner",
	WrongPlace:            "List.Insert is off by one in lock-free mode",
	FrozenWritten:         "List.At writes to a frozen list, without changing it",
	CopiedTwice:           "Freeze copies a shared object for each reference to it",
	CASLies:               "a Cell's compare-and-swap that loses a race reports success",
	DetachLoses:           "a thread that detaches forgets what it has retired",
	GraceAtOnce:           "every grace period counts as passed",
	StoreKeeps:            "Cell.Store does not release the old value",
	KeyUncounted:          "Dict.Set takes no reference to a new key",
	TombstoneStops:        "a lookup stops at a dead entry with its key",
	RebuildLoses:          "a dict's rebuild omits the third entry",
	GrowDrops:             "a list that grows loses its last item",
	ClearKeeps:            "List.Clear releases nothing",
	ExtendUncounted:       "List.Extend takes no references",
	VersionKept:           "a container does not raise its version when it changes",
	WeakKept:              "a death does not empty weak references",
	FinalizerLost:         "an object that waits for its finalizer is forgotten",
	EdgeMissed:            "the collector counts no references",
	RootMissed:            "the collector treats an object with one outside reference as garbage",
	ImmortalizeShallow:    "Immortalize does not follow references",
	RemoteLost:            "a slot freed by another thread is lost",
	LentCollected:         "the former owner of a lent span collects its remote frees",
	LentByOwner:           "spans of a cache are lent while its owner allocates",
	FreedTwice:            "a slot freed by another thread is collected twice",
	FreezeUnvalidated:     "Freeze does not check whether anything changed meanwhile",
	SlotUnchecked:         "opening an image accepts any word as a reference",
	ChecksumSkipped:       "opening an image does not check the objects' checksum",
	UnloadOverlooks:       "Unload does not search objects that were born immortal",
	SharedAsUsed:          "a worker treats the parent's free slots as used",
	SharedWeakLost:        "weak references are not passed on to a worker",
	SharedReused:          "a worker allocates on the parent's pages",
	LimitIgnored:          "the memory limit is ignored",
	ScopeForgets:          "a scope releases nothing",
	BornKept:              "a failed Immortally does not give up the references of its objects",
	DrainLost:             "the queue's reference to a merged object is lost",
	TryIncWrites:          "a weak get counts an immortal",
	TryIncTouches:         "a weak get adds zero to the count of an immortal",
	TryIncThaws:           "a weak get does not move a count away from the edge of its band",
	QueueGaveUp:           "a thread that cannot queue a merged object does not give up its reference",
	PendingLost:           "a detaching thread drops its pending calls",
	NeverSticky:           "a shared count has no bands",
	StopEarly:             "stopping the world waits for no thread",
	JSONLeaks:             "a document that cannot be parsed is leaked",
	DictPopHandsOver:      "Dict.Pop gives the slot's count to the caller",
	DecCounts:             "DecRefs counts immortals too",
	CascadeCounts:         "a death decrements the counts of immortals that the object refers to",
	WeakMarks:             "a weak reference to an immortal marks its header",
	IncLost:               "an increment of an object that another thread owns is lost",
	MergeLoses:            "a merge forgets the owner's references",
	DeadRevived:           "a weak get of a dead object succeeds",
	StickyForgotten:       "objects with a sticky count are not made immortal",
	OpenKept:              "a batch of retired items that is not full waits forever",
	GoalEarly:             "retired items wait for the previous period only",
	ReaderForgotten:       "a grace period waits for no readers",
	ReaderAsleep:          "a dormant reader comes online without returning to the list",
	OrphansKept:           "orphans are never released",
	QueueStays:            "no thread merges for an owner that is away",
	EntryReused:           "a dict reuses the place of its last entry after its deletion",
	DeadKeyEarly:          "Dict.Delete retires a key that the rebuild retires again",
	UpdateUncounted:       "Dict.Update takes no references to values",
	CollectUnsettled:      "the collector does not first release retired references",
	GarbageWeakKept:       "the collector does not empty weak references to garbage",
	RevivedFreed:          "the collector frees objects that a finalizer has resurrected",
	MarkShallow:           "the collector does not follow references from the objects that it reaches",
	SpanReturned:          "a span with one block in use is given back",
	InternKept:            "a dead string stays in the intern table",
	BodyDirty:             "a new object's body is not zeroed",
	LengthUnchecked:       "opening an image does not check lengths against bodies",
	UnloadOverlooksMortal: "Unload does not search mortal objects",
	UnloadWeakKept:        "Unload does not empty weak references",
	VersionFrozen:         "a frozen record keeps its version",
	BlindKept:             "after the first Immortalize, threads go on to count without a look at the owner",
	ImmortalUnsettled:     "a tuple becomes immortal in place without its hash",
	HashUnchecked:         "opening an image trusts the hash of a tuple",
	IDsReused:             "a worker reuses the ids of the parent's threads",
	SharedWritten:         "opening a shared heap writes to its pages, without changing them",
	GILShared:             "the GIL is granted while another thread holds it",
	DropForgotten:         "a holder of the GIL is never asked to give it up",
	EnterEarly:            "a thread enters the world while it is stopped",
	Unsealed:              "the pages of frozen objects stay writable",
	RootUnchecked:         "opening an image accepts any root",
	TurnIgnored:           "a thread that stops the world does not wait for other stops",
}
