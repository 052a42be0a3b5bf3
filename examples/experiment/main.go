// Command experiment measures an idea about many cores: one piece of work under a
// global lock and without one, counted atomically and biased, on mortal and on immortal
// objects, with one thread and with many. To measure an idea of your own, copy the
// program and replace the code that fills the baskets.
//
//	go run ./examples/experiment
//	go run ./examples/experiment -threads 1,2,4 -plots .
package main

import (
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

var baskets = experiment.Workload{
	Name:     "baskets",
	Question: "How fast do threads fill baskets from one price list?",
	Axes:     []experiment.Axis{experiment.Modes(), experiment.Immortality()},
	Setup: func(t *rt.Thread, _ experiment.Config) (rt.Ref, error) {
		return objects.FromJSON(t, strings.NewReader(`{"tea": "3.20", "coffee": "4.10", "milk": "1.90", "bread": "5.00"}`))
	},
	Work: func(l *experiment.Lane, t *rt.Thread, _ experiment.Config, prices rt.Ref) error {
		for l.Next() {
			for range l.N() {
				err := t.Scope(func(s *rt.Scope) {
					basket := objects.List(s.Own(objects.NewList(t)))
					for _, price := range objects.Dict(prices).All(t) {
						s.Check(basket.Append(t, price))
					}
				})
				if err != nil {
					return err
				}
				t.Checkpoint() // a safe point: the lock can be passed on, and retired memory is freed
			}
		}
		return nil
	},
}

func main() {
	command.Main("experiment", "Measures how threads fill baskets.", baskets.Scenario())
}
