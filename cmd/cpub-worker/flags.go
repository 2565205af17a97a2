package main

import (
	"flag"
	"fmt"
	"io"
)

const usage = `cpub-worker runs pipelines and their steps, as worker.hcl says, until it is told to stop (SIGTERM, SIGINT):
then steps under way go on in their containers, and the next worker adopts them.

  cpub-worker [-config worker.hcl] [-print-config] [-state DIR] [-listen HOST:PORT] [-log-format json|text] [-log-level LEVEL]

  -config FILE       worker.hcl (default CPUB_WORKER_CONFIG, else worker.hcl in the working directory; where neither is there, a
                     configuration for a developer's own machine: the providers beside this program, a store in the user's
                     state folder, and a policy that allows what is on the machine)
  -print-config      prints the configuration and ends: a start for a worker.hcl. It may hold keys of an S3 gateway
  -state DIR         this worker's folder: cache, and what providers keep
                     (default STATE_DIRECTORY, else cpub/worker in the user's state folder)
  -listen HOST:PORT  serves /healthz, /readyz and /metrics (default: metrics.listen of worker.hcl, or nowhere)
  -log-format FORM   json or text (default json)
  -log-level LEVEL   debug, info, warn or error (default info)

Temporal is found by worker.hcl, or as by its own CLI (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS, API key, profiles).
The store is found by worker.hcl, or by CPUB_STORE, which cpub needs too. Exit codes: 0 stopped, 1 could not go on, 2 wrong use or configuration.
`

// flags are the command line's.
type flags struct {
	config, state, listen string
	logFormat, logLevel   string
	printConfig, help     bool
}

func parseFlags(args []string, stderr io.Writer) (flags, error) {
	f := flags{}
	set := flag.NewFlagSet("cpub-worker", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() { fmt.Fprint(stderr, "See `cpub-worker -help`.\n") }
	set.StringVar(&f.config, "config", "", "")
	set.BoolVar(&f.printConfig, "print-config", false, "")
	set.StringVar(&f.state, "state", "", "")
	set.StringVar(&f.listen, "listen", "", "")
	set.StringVar(&f.logFormat, "log-format", "json", "")
	set.StringVar(&f.logLevel, "log-level", "info", "")
	set.BoolVar(&f.help, "help", false, "")
	set.BoolVar(&f.help, "h", false, "")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", set.Arg(0))
		fmt.Fprintf(stderr, "cpub-worker: %v\n", err)
		set.Usage()
		return f, err
	}
	return f, nil
}
