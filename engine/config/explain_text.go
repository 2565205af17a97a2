package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// WriteText writes the explanation for people: variables, then the steps by stage in declared order, then outputs.
func (x *Explanation) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "pipeline %q", x.Pipeline)
	if x.Description != "" {
		fmt.Fprintf(&b, ": %s", x.Description)
	}
	b.WriteByte('\n')
	fmt.Fprintf(&b, "  plan %s, at most %d steps at once", x.Digest, x.MaxParallel)
	if x.Timeout != "" {
		fmt.Fprintf(&b, ", timeout %s", x.Timeout)
	}
	b.WriteByte('\n')
	writeValues(&b, "\nvariables\n", "  ", x.Variables)
	for stage := 1; ; stage++ {
		steps := x.stage(stage)
		if len(steps) == 0 {
			break
		}
		together := ""
		if len(steps) > 1 {
			together = fmt.Sprintf(" (%d steps at once)", len(steps))
		}
		fmt.Fprintf(&b, "\nstage %d%s\n", stage, together)
		for _, s := range steps {
			s.write(&b)
		}
	}
	writeValues(&b, "\noutputs\n", "  ", x.Outputs)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing plan: %w", err)
	}
	return nil
}

func (x *Explanation) stage(n int) (out []ExplainedStep) {
	for _, s := range x.Steps {
		if s.Stage == n {
			out = append(out, s)
		}
	}
	return out
}

func (s ExplainedStep) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "  step %q %q", s.Type, s.Name)
	if s.Provider != "" {
		fmt.Fprintf(b, " on %s", s.Provider)
	}
	if len(s.After) > 0 {
		fmt.Fprintf(b, " after %s", strings.Join(s.After, ", "))
	}
	b.WriteByte('\n')
	switch s.When {
	case "":
	case "false":
		b.WriteString("    skipped: when = false\n")
	default:
		fmt.Fprintf(b, "    when = %s\n", s.When)
	}
	if s.Timeout != "" {
		fmt.Fprintf(b, "    timeout = %s\n", s.Timeout)
	}
	fmt.Fprintf(b, "    retry: %s\n", s.Retry)
	writeValues(b, "", "    ", s.Input)
}

func writeValues(b *bytes.Buffer, title, indent string, values []ExplainedValue) {
	if len(values) == 0 {
		return
	}
	b.WriteString(title)
	width := 0
	for _, v := range values {
		width = max(width, len(v.Name))
	}
	for _, v := range values {
		fmt.Fprintf(b, "%s%-*s = %s", indent, width, v.Name, v.Value)
		if v.From != "" {
			fmt.Fprintf(b, "  # %s", v.From)
		}
		b.WriteByte('\n')
	}
}
