package command

import "testing"

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{"1": 1, "1536": 1536, "3KiB": 3 << 10, "64MiB": 64 << 20, "16GiB": 16 << 30} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want || b.String() != text {
			t.Errorf("%s is %d, written %s, %v", text, b, b, err)
		}
	}
	if got := Bytes(2048).String(); got != "2KiB" {
		t.Errorf("2048 is written %s", got)
	}
	for _, text := range []string{"", "0", "-1", "64MB", "KiB", "17GiB", "1.5GiB"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil || b != 0 {
			t.Errorf("%q is %d, %v", text, b, err)
		}
	}
}
