package worker

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	tclient "go.temporal.io/sdk/client"
)

// timerBuckets are the upper bounds, in seconds, of the SDK's timers.
func timerBuckets() []float64 {
	return []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 900, 3600}
}

// metrics collects what Temporal's SDK counts. The SDK uses one name with varying tags, so each set of tags has a collector of its own
// and the whole is an unchecked one.
type metrics struct {
	mu     sync.Mutex
	series map[string]prometheus.Metric
}

func newMetrics() *metrics { return &metrics{series: map[string]prometheus.Metric{}} }

// Describe describes nothing, which is what makes the collector unchecked.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives all series.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.series))
	m.mu.Unlock()
	for _, s := range all {
		out <- s
	}
}

// handler is the SDK's face of it, with these tags.
func (m *metrics) handler(tags map[string]string) tclient.MetricsHandler { return &handler{m, tags} }

type handler struct {
	metrics *metrics
	tags    map[string]string
}

// WithTags adds tags.
func (h *handler) WithTags(tags map[string]string) tclient.MetricsHandler {
	all := maps.Clone(h.tags)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, tags)
	return h.metrics.handler(all)
}

// Counter gives the counter of that name.
func (h *handler) Counter(name string) tclient.MetricsCounter {
	c := series(h, name, func(labels prometheus.Labels) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: metricName(name) + "_total", Help: helpText, ConstLabels: labels})
	})
	return counter{c}
}

// Gauge gives the gauge of that name.
func (h *handler) Gauge(name string) tclient.MetricsGauge {
	g := series(h, name, func(labels prometheus.Labels) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: metricName(name), Help: helpText, ConstLabels: labels})
	})
	return gauge{g}
}

// Timer gives the histogram of that name, in seconds.
func (h *handler) Timer(name string) tclient.MetricsTimer {
	t := series(h, name, func(labels prometheus.Labels) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: metricName(name) + "_seconds", Help: helpText, ConstLabels: labels, Buckets: timerBuckets(),
		})
	})
	return timer{t}
}

// helpText is the same for all: the SDK gives none.
const helpText = "Counted by Temporal's SDK."

// series finds or makes the series of a name and the handler's tags.
func series[M prometheus.Metric](h *handler, name string, make func(prometheus.Labels) M) M {
	labels := prometheus.Labels{}
	key := name
	for _, tag := range slices.Sorted(maps.Keys(h.tags)) {
		labels[metricName(tag)] = h.tags[tag]
		key += "\x00" + tag + "\x00" + h.tags[tag]
	}
	h.metrics.mu.Lock()
	defer h.metrics.mu.Unlock()
	if known, ok := h.metrics.series[key].(M); ok {
		return known
	}
	made := make(labels)
	h.metrics.series[key] = made
	return made
}

// metricName is a name as Prometheus takes it.
func metricName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

type counter struct{ prometheus.Counter }

func (c counter) Inc(n int64) { c.Add(float64(n)) }

type gauge struct{ prometheus.Gauge }

func (g gauge) Update(v float64) { g.Set(v) }

type timer struct{ prometheus.Histogram }

func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }
