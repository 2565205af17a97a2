package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
)

// statsCommand is what stats was asked for.
type statsCommand struct {
	here

	asJSON, once bool
	interval     time.Duration
	run          string

	before map[string]*sdk.Usage // by instance and id, as they were last read
}

// firstLook is how long the first look at usage of CPU takes: it is the difference of two.
const firstLook = 500 * time.Millisecond

func newStats(c *stdio) *cobra.Command {
	s := &statsCommand{here: here{c: c}}
	cmd := &cobra.Command{
		Use:   "stats [RUN]",
		Short: "Show what our containers on this machine are using",
		Long: `stats shows memory, CPU and processes of the containers of runs on this machine,
with their limits: of all runs, or of one. On a terminal it goes on until Ctrl-C;
elsewhere, and with --no-stream, it shows them once.

` + hereHelp,
		Args: needs(0, 1, "a run's id"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			s.run = strings.Join(args, "")
			return s.do(cmd.Context())
		}),
	}
	cmd.Flags().BoolVar(&s.once, "no-stream", false, "show them once")
	cmd.Flags().DurationVar(&s.interval, "interval", 2*time.Second, "between two looks")
	s.flags(cmd)
	jsonFlag(cmd, &s.asJSON)
	return cmd
}

func (s *statsCommand) do(ctx context.Context) error {
	if s.interval < 100*time.Millisecond {
		return usagef("--interval must be 100ms at least")
	}
	_, providers, stop, err := s.start(ctx, nil)
	if err != nil {
		return err
	}
	defer stop()
	live := s.c.outTTY && !s.c.dumb() && !s.once && !s.asJSON
	if _, err := s.look(ctx, providers); err != nil {
		return err
	}
	signals, stopSignals := notifyInterrupts()
	defer stopSignals()
	screen := (*view.Screen)(nil)
	if live {
		screen = view.NewScreen(s.c.out)
		defer screen.Close()
	}
	for wait := firstLook; ; wait = s.interval {
		select {
		case <-time.After(wait):
		case <-signals:
			return nil
		}
		rows, err := s.look(ctx, providers)
		if err != nil {
			return err
		}
		if live {
			err = screen.Draw(s.block(rows))
		} else {
			err = s.print(rows)
		}
		if err != nil || !live && (s.once || !s.asJSON || !s.c.outTTY) {
			return err
		}
	}
}

// statsRow is one container, as --json prints it.
type statsRow struct {
	Instance string    `json:"instance"`
	Run      string    `json:"run,omitempty"`
	Step     string    `json:"step,omitempty"`
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	State    string    `json:"state"`
	At       time.Time `json:"at"`
	Memory   *int64    `json:"memory,omitempty"`
	Limit    *int64    `json:"memory_limit,omitempty"`
	// CPUs is how many were used on average since the look before.
	CPUs      *float64 `json:"cpus,omitempty"`
	CPULimit  *float64 `json:"cpus_limit,omitempty"`
	Pids      *int64   `json:"pids,omitempty"`
	PidsLimit *int64   `json:"pids_limit,omitempty"`
	// Left is the time until its time limit, in seconds.
	Left *float64 `json:"seconds_left,omitempty"`
}

// look asks the providers, and makes rows of what runs. CPUs need the look before.
func (s *statsCommand) look(ctx context.Context, providers *host.Host) ([]statsRow, error) {
	all := providers.Inventory(ctx, sdk.InventoryQuery{Usage: true})
	if s.before == nil { // once is enough
		if err := s.complain(all); err != nil {
			return nil, err
		}
	}
	rows, now := []statsRow{}, map[string]*sdk.Usage{}
	for _, i := range all {
		for _, item := range i.Items {
			if !s.wanted(item) {
				continue
			}
			key := i.Instance + " " + item.ID
			now[key] = item.Usage
			rows = append(rows, rowOf(i.Instance, item, s.before[key]))
		}
	}
	s.before = now
	return rows, nil
}

// wanted leaves out what does not run, and other runs than the one that was asked for.
func (s *statsCommand) wanted(i sdk.Item) bool {
	if i.Kind != sdk.ItemContainer || i.Usage == nil && i.State != "running" {
		return false
	}
	return s.run == "" || i.Run == s.run || strings.HasPrefix(i.Run, s.run+"/") && !strings.Contains(i.Run[len(s.run)+1:], "/")
}

func rowOf(instance string, i sdk.Item, before *sdk.Usage) statsRow {
	r := statsRow{Instance: instance, Run: i.Run, Step: i.Step, ID: i.ID, Name: i.Name, State: i.State, At: time.Now().UTC()}
	u := i.Usage
	if u == nil {
		return r
	}
	r.At, r.Memory, r.Limit, r.Pids, r.PidsLimit = u.At.UTC(), number(u.Memory), number(u.MemoryLimit), number(u.Pids), number(u.PidsLimit)
	if u.CPULimit >= 0 {
		r.CPULimit = &u.CPULimit
	}
	if before != nil && before.CPUTime >= 0 && u.CPUTime >= before.CPUTime && u.At.After(before.At) {
		cpus := float64(u.CPUTime-before.CPUTime) / float64(u.At.Sub(before.At))
		r.CPUs = &cpus
	}
	if !u.Until.IsZero() {
		left := max(u.Until.Sub(u.At), 0).Seconds()
		r.Left = &left
	}
	return r
}

// number is nil for one that is not known.
func number(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
