package main

import "github.com/ichor-go/ichor/bench/experiment"

// scenarios are what `run` and `list` know, in the order of `list`.
var scenarios = []experiment.Scenario{ladderScenario(), pairScenario(), contendScenario(), requestsScenario(), treeScenario(), smallScenario(), handoffScenario(), neighboursScenario(), dictScenario(), threadsScenario(), collectScenario(), memoryScenario(), walkScenario(), freezeScenario(), imageScenario(), gcshareScenario()}

// compareScenarios are what `compare` runs over the documents.
func compareScenarios([]experiment.Document) []experiment.Scenario {
	return []experiment.Scenario{requestsScenario()}
}
