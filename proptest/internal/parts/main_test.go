package parts

import "testing"

func TestMain(m *testing.M) { SuiteMain(m) }
