package mutant

// A Kill names a test that finds a planted bug, and how it reports it.
type Kill struct {
	Bug     ID
	Package string   // within the module
	Test    string   // as -test.run takes it
	Says    []string // the test's output has one of these: mostly a property of package proptest
	Races   bool     // the threads may miss each other: then the test is run again
}

// Tests of package proptest and its parts. All but those with Races are deterministic, given
// rapid's seed.
const (
	underGIL  = "^TestPrograms$/^gil$/^checked=false$/^sequential$"
	lockFree  = "^TestPrograms$/^atomic$/^checked=false$/^sequential$"
	inTurns   = "^TestPrograms$/^atomic$/^checked=false$/^interleaved$"
	checked   = "^TestPrograms$/^atomic$/^checked=true$/^interleaved$"
	watched   = "^TestPrograms$/^atomic$/^checked=false$/^stores$"
	biased    = "^TestPrograms$/^biased$/^checked=false$/^interleaved$"
	overwrite = "^TestScenarios$/^gil$/^checked=false$/^overwrite_itself$"
	dropped   = "^TestScenarios$/^gil$/^checked=false$/^drop_all$"
	popped    = "^TestScenarios$/^atomic$/^checked=true$/^pop_what_is_borrowed$"
	taken     = "^TestScenarios$/^atomic$/^checked=true$/^take_what_is_borrowed$"
	replaced  = "^TestScenarios$/^atomic$/^checked=true$/^overwrite_what_is_borrowed$"
	held      = "^TestScenarios$/^atomic$/^checked=false$/^collect_what_is_held$"
	once      = "^TestScenarios$/^gil$/^checked=false$/^finalize_once$"
	shared    = "^TestScenarios$/^atomic$/^checked=false$/^freeze_what_is_shared$"
	queued    = "^TestScenarios$/^biased$/^checked=false$/^drop_what_is_queued$"

	dying   = "^TestScenarios$/^biased$/^checked=false$/^follow_what_is_dying$"
	merged  = "^TestScenarios$/^biased$/^checked=false$/^drop_what_is_merged$"
	inCells = "^TestHistories$/^atomic$/^checked=false$/^cell$"
)

// The parts of package proptest that have some of them.
const (
	runs   = "proptest/internal/runs"
	linear = "proptest/internal/linear"
)

// Explorer is the package whose tests are built with the tag explore.
const Explorer = "proptest/explore"

// Kills lists the tests that find the planted bugs.
var Kills = []Kill{
	{SkipImmortalTest, "proptest", underGIL, []string{"property (a)"}, false},
	{SkipImmortalTest, "proptest", lockFree, []string{"property (a)"}, false},
	{SkipImmortalTest, "proptest", inTurns, []string{"property (a)"}, false},
	{DoubleRelease, "proptest", underGIL, []string{"property (b)", "property (c)"}, false},
	{DoubleRelease, runs, overwrite, []string{"property (b)"}, false},
	{NoRetire, "proptest", checked, []string{"property (c)"}, false},
	{NoRetire, runs, replaced, []string{"property (c)"}, false},
	{PopHandsOver, "proptest", checked, []string{"property (c)"}, false},
	{PopHandsOver, runs, popped, []string{"property (c)"}, false},
	{ForgottenIncRef, "proptest", underGIL, []string{"property (b)"}, false},
	{DeadKeysLost, "proptest", lockFree, []string{"property (b)"}, false},
	{BlockLost, "proptest", lockFree, []string{"property (b)"}, false},
	{QueueSubtracts, "proptest", biased, []string{"property (c)"}, false},
	{ChildKept, runs, dropped, []string{"property (b)"}, false},
	{ChildKept, "proptest", lockFree, []string{"property (b)"}, false},
	{MemoryKept, runs, dropped, []string{"property (c)"}, false},
	{WrongPlace, "proptest", lockFree, []string{"property (d)"}, false},
	{EdgeTwice, runs, held, []string{"property (b)"}, false},
	{FrozenWritten, "proptest", underGIL, []string{"property (g)"}, false},
	{FrozenWritten, "proptest", lockFree, []string{"property (g)"}, false},
	{FrozenWritten, runs, shared, []string{"property (g)"}, false},
	{CopiedTwice, runs, shared, []string{"property (d)"}, false},
	{FinalizesTwice, runs, once, []string{"property (e)"}, false},
	{OwnerFreesQueued, runs, queued, []string{"property (c)"}, false},
	{DetachLoses, "proptest", inTurns, []string{"property (b)", "property (c)"}, false},
	{GraceAtOnce, "sched", "^TestGraceWaits$", []string{"FAIL: TestGraceWaits"}, false},
	{StoreKeeps, linear, inCells, []string{"property (b)"}, false},
	{KeyUncounted, "proptest", underGIL, []string{"property (b)", "property (c)"}, false},
	{TombstoneStops, "proptest", underGIL, []string{"property (d)"}, false},
	{RebuildLoses, "proptest", underGIL, []string{"property (b)", "property (d)"}, false},
	{GrowDrops, "proptest", underGIL, []string{"property (b)", "property (d)"}, false},
	{ClearKeeps, "proptest", underGIL, []string{"property (b)"}, false},
	{ExtendUncounted, "proptest", underGIL, []string{"property (b)", "property (c)"}, false},
	{WeakKept, "proptest", underGIL, []string{"property (b)", "property (c)", "property (d)"}, false},
	{FinalizerLost, "proptest", underGIL, []string{"property (b)", "property (d)"}, false},
	{EdgeMissed, "proptest", underGIL, []string{"property (d)", "property (f)"}, false},
	{RootMissed, runs, held, []string{"property (b)", "property (c)"}, false},
	{ImmortalizeShallow, "proptest", underGIL, []string{"property (d)"}, false},
	{RemoteLost, "proptest", inTurns, []string{"property (b)", "property (c)"}, false},
	{FreedTwice, "proptest", inTurns, []string{"property (c)"}, false},
	{ScopeForgets, "proptest", underGIL, []string{"property (b)", "property (c)"}, false},
	{BornKept, "proptest", underGIL, []string{"property (b)", "property (f)"}, false},
	{DrainLost, "internal/header", "^TestModel$", []string{"FAIL: TestModel"}, false},
	{TryIncWrites, "proptest", underGIL, []string{"property (a)"}, false},
	{TryIncTouches, "proptest", watched, []string{"property (j)"}, false},
	{DictPopHandsOver, runs, taken, []string{"property (c)"}, false},

	{CASLies, linear, inCells, []string{"property (i)"}, true},
	{WeakFromZero, runs, dying, []string{"property (c)"}, true},
	{MergeLate, runs, merged, []string{"property (c)", "property (b)"}, true},

	// Bugs that random programs do not reach have tests of their own.
	{MergeForgets, "runtime", "^TestImmortalizeQueued$", []string{"headers of immortals changed"}, false},
	{SharedWeakLost, "runtime", "^TestSharedHeapIsDescribed$", []string{"the weak references are"}, false},
	{TryIncThaws, "internal/header", "^TestWords$", []string{"FAIL: TestWords"}, false},
	{QueueGaveUp, Explorer, "^TestScenarios$/^queue_against_a_merge_by_the_owner's_last_reference$", []string{"ichor: audit"}, false},
	{PendingLost, Explorer, "^TestScenarios$/^queue_against_the_owner's_end,_with_a_finalizer$", []string{"ichor: audit"}, false},
	{NeverSticky, "internal/header", "^TestWords$", []string{"FAIL: TestWords"}, false},
	{StopEarly, "locks", "^TestStopWaitsForMembers$", []string{"FAIL: TestStopWaitsForMembers"}, false},
	{LimitIgnored, "internal/arena", "^TestLimit$", []string{"FAIL: TestLimit"}, false},
	{SharedAsUsed, "internal/arena", "^TestAdopt$", []string{"is in use, want"}, false},
	{SharedReused, "internal/arena", "^TestAdopt$", []string{"a byte of a span that is empty", "kept warm"}, false},
	{FreezeUnvalidated, "objects", "^TestFreezeIsNeverTorn$", []string{"torn:"}, true},
	{VersionKept, "objects", "^TestFreezeIsNeverTorn$", []string{"torn:"}, true},
	{SlotUnchecked, "objects", "^TestImageErrors$", []string{"does not refer to an object of the image"}, false},
	{ChecksumSkipped, "objects", "^TestImageErrors$", []string{"the objects do not match their checksum"}, false},
	{UnloadOverlooks, "objects", "^TestUnload$", []string{"unexpected fault address"}, false},
	{JSONLeaks, "proptest", "^TestFaults$/^atomic$/^checked=false$/^json$", []string{"ichor: audit"}, false},

	{DecCounts, "proptest", underGIL, []string{"property (a)"}, false},
	{CascadeCounts, "proptest", underGIL, []string{"property (a)"}, false},
	{WeakMarks, "proptest", underGIL, []string{"property (a)"}, false},
	{IncLost, "proptest", biased, []string{"property (b)", "property (c)"}, false},
	{MergeLoses, "proptest", biased, []string{"property (b)", "property (c)"}, false},
	{DeadRevived, "internal/header", "^TestModel$", []string{"FAIL: TestModel"}, false},
	{StickyForgotten, "runtime", "^TestBands$", []string{"FAIL: TestBands"}, false},
	{OpenKept, "sched", "^TestDeferredWaits$", []string{"FAIL: TestDeferredWaits"}, false},
	{GoalEarly, "sched", "^TestDeferredModel$", []string{"FAIL: TestDeferredModel"}, false},
	{ReaderForgotten, "sched", "^TestGraceModel$", []string{"FAIL: TestGraceModel"}, false},
	{ReaderAsleep, "sched", "^TestGraceModel$", []string{"FAIL: TestGraceModel"}, false},
	{OrphansKept, "runtime", "^TestRetireAtDetach$", []string{"FAIL: TestRetireAtDetach"}, false},
	{QueueStays, "runtime", "^TestOwnerAway$", []string{"FAIL: TestOwnerAway"}, false},
	{EntryReused, "proptest", underGIL, []string{"property (b)", "property (d)"}, false},
	{DeadKeyEarly, "proptest", underGIL, []string{"property (b)", "property (c)"}, false},
	{UpdateUncounted, "proptest", underGIL, []string{"property (b)", "property (c)"}, false},
	{CollectUnsettled, "runtime", "^TestCollectRetired$", []string{"FAIL: TestCollectRetired"}, false},
	{GarbageWeakKept, "runtime", "^TestWeakGarbage$", []string{"FAIL: TestWeakGarbage"}, false},
	{RevivedFreed, "runtime", "^TestFinalizeGarbage$", []string{"FAIL: TestFinalizeGarbage"}, false},
	{MarkShallow, "proptest", underGIL, []string{"property (f)", "property (c)"}, false},
	{SpanReturned, "internal/arena", "^TestModel$", []string{"FAIL: TestModel"}, false},
	{LentCollected, "internal/arena", "^TestLentAfterAnnouncement$", []string{"has not passed the span on"}, false},
	{LentByOwner, "internal/arena", "^TestLending$", []string{"the span has another owner"}, false},
	{InternKept, "objects", "^TestInternForgets$", []string{"FAIL: TestInternForgets"}, false},
	{BodyDirty, "proptest", underGIL, []string{"property (b)", "property (c)", "property (d)"}, false},
	{LengthUnchecked, "objects", "^TestImageErrors$", []string{"its padding is not zero"}, false},
	{UnloadOverlooksMortal, "objects", "^TestUnload$", []string{"FAIL: TestUnload", "unexpected fault address"}, false},
	{UnloadWeakKept, "objects", "^TestUnload$", []string{"FAIL: TestUnload", "unexpected fault address"}, false},
	{VersionFrozen, "objects", "^TestImageRoundTrip$", []string{"its version is not zero"}, false},
	{BlindKept, "runtime", "^TestBlind$", []string{"is blind after Immortalize"}, false},
	{ImmortalUnsettled, "objects", "^TestHashBeforeImmortality$", []string{"has the hash 0x0"}, false},
	{HashUnchecked, "objects", "^TestImageErrors$", []string{"its hash is wrong"}, false},
	{IDsReused, "objects", "^TestSharedOwners$", []string{"index out of range"}, false},
	{SharedWritten, "objects", "^TestSharedPagesStayShared$", []string{"were copied"}, false},
	{GILShared, "locks", "^TestGILIsTakenOnce$", []string{"TryAcquireFor has taken it"}, false},
	{DropForgotten, "locks", "^TestGILDropRequest$", []string{"FAIL: TestGILDropRequest"}, false},
	{EnterEarly, "locks", "^TestEnterWaitsForStart$", []string{"entered a stopped world"}, false},
	{Unsealed, "objects", "^TestFrozenPagesAreSealed$", []string{"faults at"}, false},
	{RootUnchecked, "objects", "^TestImageErrors$", []string{"root: error <nil>"}, false},
	{TurnIgnored, "locks", "^TestStopAgainstStop$", []string{"the world was not stopped by this member"}, false},
}
