package parts

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ichor-go/ichor/internal/aligned"
)

// verdicts counts porcupine's verdicts on histories. Porcupine searches for an order of all
// calls, and gives up when that takes too long: such a history has no verdict.
type verdicts struct{ all, none aligned.Int64 }

const searchLimit = 10 * time.Second

// illegal reports whether no order of the calls explains a history.
func (v *verdicts) illegal(m porcupine.Model, seen []porcupine.Operation) bool {
	res, _ := porcupine.CheckOperationsVerbose(m, seen, searchLimit)
	v.all.Inc()
	count("histories", 1)
	count("histories: calls", len(seen))
	if res == porcupine.Unknown {
		v.none.Inc()
		count("histories without a verdict", 1)
	}
	return res == porcupine.Illegal
}

// err returns an error if more than one history in ten has no verdict.
func (v *verdicts) err() error {
	if none, all := v.none.Load(), v.all.Load(); none*10 > all {
		return fmt.Errorf("of %d histories %d have no verdict within %s", all, none, searchLimit)
	}
	return nil
}
