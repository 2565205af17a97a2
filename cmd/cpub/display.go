package main

import (
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
)

// display shows one run while it goes on. Its methods are called by one goroutine.
type display interface {
	// Update shows the run as it is now. It is called at every change, and from time to time without one.
	Update(r *view.Run, now time.Time) error
	// Say tells the user something that stays.
	Say(text string) error
	// Ask shows a question below all else until it is replaced; empty takes it away.
	Ask(question string) error
	// Close ends the display, leaving what it shows.
	Close() error
}

// newDisplay is what suits the place that is written to: JSON on stdout, or lines or a moving block on stderr.
func newDisplay(c *stdio, asJSON bool) display {
	switch {
	case asJSON:
		return &jsonDisplay{c: c}
	case c.moving():
		return &liveDisplay{c: c, screen: view.NewScreen(c.err)}
	}
	return &plainDisplay{c: c, plain: view.Plain{Style: c.style(c.err)}}
}

// plainDisplay writes one line for each change to stderr.
type plainDisplay struct {
	c     *stdio
	plain view.Plain
}

func (d *plainDisplay) Update(r *view.Run, now time.Time) error {
	return printLines(d.c.err, d.plain.Update(r, now))
}

func (d *plainDisplay) Say(text string) error { return printLines(d.c.err, []string{text}) }

func (d *plainDisplay) Ask(question string) error {
	if question == "" {
		return nil
	}
	return printLines(d.c.err, []string{question})
}

func (d *plainDisplay) Close() error { return nil }

// liveDisplay redraws a block on the terminal that stderr is.
type liveDisplay struct {
	c        *stdio
	screen   *view.Screen
	block    []string
	question string
}

func (d *liveDisplay) Update(r *view.Run, now time.Time) error {
	d.block = d.c.style(d.c.err).Block(r, now)
	return d.screen.Draw(d.all())
}

func (d *liveDisplay) Say(text string) error { return d.screen.Print([]string{text}, d.all()) }

func (d *liveDisplay) Ask(question string) error {
	d.question = question
	return d.screen.Draw(d.all())
}

func (d *liveDisplay) Close() error {
	if d.question != "" {
		if err := d.Ask(""); err != nil {
			return err
		}
	}
	return d.screen.Close()
}

func (d *liveDisplay) all() []string {
	if d.question == "" {
		return d.block
	}
	return append(append([]string(nil), d.block...), d.c.style(d.c.err).Cut(d.question))
}

// jsonDisplay prints events to stdout, one JSON object a line.
type jsonDisplay struct {
	c      *stdio
	before *view.Run
}

func (d *jsonDisplay) Update(r *view.Run, now time.Time) error {
	for _, e := range view.Diff(d.before, r, now) {
		if err := d.c.printJSON(e); err != nil {
			return err
		}
	}
	d.before = r
	return nil
}

func (d *jsonDisplay) Say(text string) error {
	e := view.Event{Time: time.Now().UTC(), Event: view.EventNotice, Message: text}
	if d.before != nil {
		e.ID = d.before.ID
	}
	return d.c.printJSON(e)
}

func (d *jsonDisplay) Ask(string) error { return nil }

func (d *jsonDisplay) Close() error { return nil }
