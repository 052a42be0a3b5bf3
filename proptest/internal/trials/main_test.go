package trials

import (
	"testing"

	"github.com/ichor-go/ichor/proptest/internal/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }
