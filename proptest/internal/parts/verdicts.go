package parts

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ichor-go/ichor/internal/aligned"
)

// Verdicts counts porcupine's verdicts on histories. Porcupine searches for an order of all
// calls, and gives up when that takes too long: such a history has no verdict.
type Verdicts struct{ all, none aligned.Int64 }

const searchLimit = 10 * time.Second

// Illegal reports whether no order of the calls explains a history.
func (v *Verdicts) Illegal(m porcupine.Model, seen []porcupine.Operation) bool {
	res, _ := porcupine.CheckOperationsVerbose(m, seen, searchLimit)
	v.all.Inc()
	Add("histories", 1)
	Add("histories: calls", len(seen))
	if res == porcupine.Unknown {
		v.none.Inc()
		Add("histories without a verdict", 1)
	}
	return res == porcupine.Illegal
}

// Err returns an error if more than one history in ten has no verdict.
func (v *Verdicts) Err() error {
	if none, all := v.none.Load(), v.all.Load(); none*10 > all {
		return fmt.Errorf("of %d histories %d have no verdict within %s", all, none, searchLimit)
	}
	return nil
}
