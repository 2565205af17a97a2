// Package parts says in what pieces objects travel, down and up.
package parts

// DefaultSize is the size of a part where nothing else is said.
const DefaultSize = 16 << 20

// Parts say how large the parts of an object are, and how many travel at once. Zero values mean the defaults.
type Parts struct {
	PartSize    int64
	Concurrency int
}

// Bounds are what one direction allows.
type Bounds struct {
	MinSize            int64
	DefaultConcurrency int
	MaxConcurrency     int
}

// Fit fills in what is left out, and keeps the rest within the bounds.
func (b Bounds) Fit(p Parts) Parts {
	if p.PartSize <= 0 {
		p.PartSize = DefaultSize
	}
	if p.Concurrency <= 0 {
		p.Concurrency = b.DefaultConcurrency
	}
	return Parts{PartSize: max(p.PartSize, b.MinSize), Concurrency: min(p.Concurrency, b.MaxConcurrency)}
}
