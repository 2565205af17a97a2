package parts

import "testing"

func TestFit(t *testing.T) {
	b := Bounds{MinSize: 5 << 20, DefaultConcurrency: 4, MaxConcurrency: 16}
	for given, want := range map[Parts]Parts{
		{}:                                     {DefaultSize, 4},
		{PartSize: -1, Concurrency: -1}:        {DefaultSize, 4},
		{PartSize: 1, Concurrency: 1}:          {5 << 20, 1},
		{PartSize: 32 << 20, Concurrency: 100}: {32 << 20, 16},
	} {
		if got := b.Fit(given); got != want {
			t.Errorf("%+v becomes %+v, want %+v", given, got, want)
		}
	}
}
