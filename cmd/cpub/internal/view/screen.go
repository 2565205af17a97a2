package view

import (
	"bufio"
	"fmt"
	"io"
)

// Screen draws a block of lines over the one before it, on a terminal that understands ANSI sequences. It is not safe for
// concurrent use.
type Screen struct {
	w     io.Writer
	lines int // of the block that stands above the cursor
}

// NewScreen hides the cursor until Close.
func NewScreen(w io.Writer) *Screen {
	_, _ = io.WriteString(w, "\x1b[?25l")
	return &Screen{w: w}
}

// Draw replaces the block. Its line ends serve a terminal in raw mode too. The lines must fit the terminal's width, and there must be fewer than it has rows.
func (s *Screen) Draw(block []string) error { return s.write(nil, block) }

// Print writes lines that stay, and the block below them.
func (s *Screen) Print(lines, block []string) error { return s.write(lines, block) }

// Close leaves the block where it is and shows the cursor.
func (s *Screen) Close() error {
	s.lines = 0
	_, err := io.WriteString(s.w, "\x1b[?25h")
	return err
}

func (s *Screen) write(lines, block []string) error {
	w := bufio.NewWriter(s.w) // one write, so that nothing flickers
	if s.lines > 0 {
		fmt.Fprintf(w, "\x1b[%dA\r", s.lines)
	}
	for _, part := range [][]string{lines, block} {
		for _, l := range part {
			fmt.Fprintf(w, "%s\x1b[K\r\n", l)
		}
	}
	fmt.Fprint(w, "\x1b[J")
	s.lines = len(block)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	return nil
}
