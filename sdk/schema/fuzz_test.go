package schema

import "testing"

// FuzzUnits reads anything as a duration and as a size: what is read is not negative, and is read from its own text again.
func FuzzUnits(f *testing.F) {
	for _, text := range []string{"5s", "1h30m", "1.5h", "128m", "1GiB", "0", "1e3", "-1s", "9999999999999h", ".5k"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil {
			if again, err := ParseDuration(d.Std().String()); err != nil || again != d || d.Std() < 0 {
				t.Errorf("%q is %s, then %s, %v", text, d.Std(), again.Std(), err)
			}
		}
		if s, err := ParseSize(text); err == nil && int64(s) < 0 {
			t.Errorf("%q is %d", text, int64(s))
		}
	})
}
