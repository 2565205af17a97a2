package main

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var updateScripts = flag.Bool("update", false, "write what the commands print into the scripts")

// TestMain lets the test binary be cpub, so that scripts drive the real command.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cpub": func() { os.Exit(execute(context.Background(), os.Args[1:], newStdio())) },
	})
}

// TestScripts drives the command where no service is needed.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *updateScripts,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			providers := env.WorkDir + "/providers"
			env.Setenv("CPUB_PROVIDERS", providers) // none: the standard contracts
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			env.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1") // nobody listens there
			env.Setenv("CPUB_STORE", "mem://")
			return os.Mkdir(providers, 0o755)
		},
	})
}

// exits runs cpub and checks its exit code: exits CODE ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	err := ts.Exec("cpub", args[1:]...)
	code := "0"
	if err != nil {
		code = exitStatus(err)
	}
	if code != args[0] {
		ts.Fatalf("cpub ended with %s, not %s", code, args[0])
	}
}
