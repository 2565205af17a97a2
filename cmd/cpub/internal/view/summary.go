package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerpub/cpub/sdk/contract"
)

// Failures are the lines that tell why a run failed: each failed step with its error, the end of its log and what to look at next.
// They are empty for a run that did not fail.
func (s Style) Failures(r *Run) []string {
	var lines []string
	for i := range r.Steps {
		if step := &r.Steps[i]; step.Status == Failed {
			lines = append(lines, s.failedStep(r, step)...)
		}
	}
	if r.Failure != nil && (r.Failure.Step == "" || len(lines) == 0) && r.Status != Cancelled {
		lines = append(lines, "", s.mark(Failed, 0)+" "+s.paint(bold, "the run failed"+code(r.Failure)))
		lines = append(lines, indent("  ", r.Failure.Message)...)
	}
	return lines
}

func (s Style) failedStep(r *Run, step *Step) []string {
	title := fmt.Sprintf("%s (%s) failed", line(step.Name), line(step.Type))
	if step.Attempt > 1 {
		title += fmt.Sprintf(" in attempt %d", step.Attempt)
	}
	lines := []string{"", s.mark(Failed, 0) + " " + s.paint(bold, title+code(step.Failure))}
	if step.Failure != nil {
		lines = append(lines, indent("  ", step.Failure.Message)...)
	}
	if len(step.LogTail) > 0 {
		lines = append(lines, s.paint(dim, "  the end of its log:"))
		for _, l := range step.LogTail {
			lines = append(lines, s.paint(dim, "  | ")+strings.TrimRight(strings.ReplaceAll(Clean(l), "\n", " "), " "))
		}
	}
	return append(lines, s.paint(dim, "  more: ")+"cpub logs "+Quote(r.ID)+" "+Quote(step.Name))
}

func code(f *Failure) string {
	if f == nil || f.Code == "" {
		return ""
	}
	return " [" + line(f.Code) + "]"
}

// Receipts are the lines that tell what limits were enforced in a run's containers, and what was used.
func (s Style) Receipts(r *Run) []string {
	var lines []string
	for i := range r.Steps {
		var out struct {
			Receipt *contract.Receipt `json:"receipt"`
		}
		if len(r.Steps[i].Outputs) == 0 || json.Unmarshal(r.Steps[i].Outputs, &out) != nil || out.Receipt == nil {
			continue
		}
		lines = append(lines, "", s.paint(bold, line(r.Steps[i].Name))+s.paint(dim, " ran with these limits, as read back from its cgroup:"))
		lines = append(lines, s.receipt(out.Receipt)...)
	}
	return lines
}

func (s Style) receipt(r *contract.Receipt) []string {
	l := r.Limits
	rows := [][2]string{
		{"memory", Bytes(l.Memory) + swap(l) + used(r.MemoryPeak, func(n int64) string { return "peak " + Bytes(n) })},
		{"cpus", fmt.Sprintf("%g", l.CPUs) + used(r.CPUTime, func(f float64) string { return fmt.Sprintf("%.2fs used", f) }) +
			used(r.CPUThrottled, func(f float64) string { return fmt.Sprintf("%.2fs throttled", f) })},
		{"processes", fmt.Sprintf("%d", l.Pids) + used(r.PidsPeak, func(n int64) string { return fmt.Sprintf("peak %d", n) })},
		{"network", line(l.Network)},
		{"time", Duration(milliseconds(l.TimeLimitMS)) + fmt.Sprintf(", ran %d ms", r.RunMS)},
		{"root", safety(l)},
		{"ended by", fmt.Sprintf("%s on %s", line(r.EndedBy), line(r.Host))},
		{"times", times(r)},
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, "  "+s.paint(dim, pad(row[0], 10))+" "+row[1])
	}
	return lines
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func swap(l contract.Limits) string {
	if l.MemorySwap <= l.Memory {
		return ", no swap"
	}
	return ", swap " + Bytes(l.MemorySwap-l.Memory)
}

// used is ", " and the counter's text, or nothing where the host keeps no such counter.
func used[T any](n *T, text func(T) string) string {
	if n == nil {
		return ""
	}
	return ", " + text(*n)
}

func safety(l contract.Limits) string {
	parts := []string{"writable"}
	if l.ReadOnly {
		parts[0] = "read-only"
	}
	capabilities := "no capabilities"
	if len(l.Capabilities) > 0 {
		capabilities = "capabilities " + strings.Join(l.Capabilities, ", ")
	}
	parts = append(parts, capabilities)
	if l.NoNewPrivileges {
		parts = append(parts, "no new privileges")
	}
	if l.Userns != "" {
		parts = append(parts, "user namespace "+l.Userns)
	}
	return line(strings.Join(parts, ", "))
}

func times(r *contract.Receipt) string {
	var parts []string
	for _, p := range []struct {
		name string
		ms   int64
	}{{"queued", r.QueuedMS}, {"pull", r.PullMS}, {"create", r.CreateMS}, {"run", r.RunMS}, {"cleanup", r.CleanupMS}} {
		parts = append(parts, fmt.Sprintf("%s %d ms", p.name, p.ms))
	}
	return strings.Join(parts, ", ")
}

// Outputs is a run's outputs as a person and a program can read them: indented JSON with a line end. A single output called result
// that is a text is that text alone, so that a pipeline can end a pipe.
func Outputs(outputs json.RawMessage) (string, error) {
	var all map[string]any
	if len(outputs) == 0 {
		return "", nil
	}
	if err := json.Unmarshal(outputs, &all); err != nil {
		return "", fmt.Errorf("reading the run's outputs: %w", err)
	}
	if len(all) == 0 {
		return "", nil
	}
	if text, ok := all["result"].(string); ok && len(all) == 1 {
		return strings.TrimSuffix(text, "\n") + "\n", nil
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(outputs); err != nil {
		return "", fmt.Errorf("printing the run's outputs: %w", err)
	}
	return b.String(), nil
}

// indent is a text as lines behind a prefix.
func indent(prefix, text string) []string {
	var lines []string
	for l := range strings.Lines(strings.TrimSpace(Clean(text))) {
		lines = append(lines, strings.TrimRight(prefix+l, " \n"))
	}
	return lines
}

// Quote is a word as a shell needs it.
func Quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || slices.Contains([]rune("_-./:@%+,="), r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(Clean(word), "'", `'\''`) + "'"
}
