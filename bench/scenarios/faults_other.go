//go:build !unix

package scenarios

// readFaults says that the page faults of this process are unknown.
func readFaults() pageFaults { return pageFaults{} }
