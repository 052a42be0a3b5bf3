package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A profile or a trace that cannot be written is an error, before the measurement if possible.
func TestRecordings(t *testing.T) {
	folder := t.TempDir()
	profile, trace, missing := filepath.Join(folder, "p"), filepath.Join(folder, "t"), filepath.Join(folder, "none", "x")
	for _, c := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"-cpuprofile", profile, "-trace", trace}, ExitOK, ""},
		{[]string{"-cpuprofile", missing}, ExitUsage, "mine: -cpuprofile: open " + missing},
		{[]string{"-trace", missing}, ExitUsage, "mine: -trace: open " + missing},
		{[]string{"-cpuprofile", profile, "-trace", filepath.Join(folder, ".", "p")}, ExitUsage, "mine: -trace: " + profile + " is the file of -cpuprofile"},
		{[]string{"-cpuprofile", fullDevice}, ExitFailed, "mine: -cpuprofile: write " + fullDevice},
		{[]string{"-trace", fullDevice}, ExitFailed, "mine: -trace: write " + fullDevice},
	} {
		if _, err := os.Stat(fullDevice); err != nil && strings.Contains(c.stderr, fullDevice) {
			t.Logf("SKIPPED: %s: there is no %s", c.args, fullDevice)
			continue
		}
		var out, errs bytes.Buffer
		err := Run(t.Context(), "mine", "", append(c.args, "-benchtime", "10x", "-count", "1"), &out, &errs, nothing())
		code := Code(t.Context(), "mine", err, &errs)
		if code != c.code || !strings.HasPrefix(errs.String(), c.stderr) || (errs.Len() > 0) != (c.stderr != "") || (out.Len() > 0) != (code != ExitUsage) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", c.args, code, out.String(), errs.String())
		}
	}
	for _, file := range []string{profile, trace} {
		if info, err := os.Stat(file); err != nil || file == trace && info.Size() == 0 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

// fullDevice is a file to which nothing can be written, on Linux.
const fullDevice = "/dev/full"
