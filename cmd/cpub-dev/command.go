package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub-dev/internal/stack"
)

// flags is what the user chose.
type flags struct {
	dir       string
	temporal  string
	ui        string
	s3        string
	registry  string
	namespace string
	buckets   []string
	services  []string
	portsFree bool
	noWorker  bool
	envFile   string
	command   []string
}

const longHelp = `cpub-dev runs a Temporal server with its UI, an S3 gateway, an OCI registry and
one ContainerPub worker on this machine, with their state in one folder.

With a COMMAND it runs that inside the stack, with the environment that cpub,
the AWS SDKs and the temporal CLI need to find it, and ends with its exit code.
Without one it prints the addresses and runs until Ctrl-C.`

// newCommand describes the command line.
func newCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "cpub-dev [flags] [-- COMMAND [ARG...]]",
		Short: "The whole ContainerPub stack in one process",
		Long:  longHelp,
		Example: `  cpub-dev
  cpub-dev -- cpub run examples/hcl/function -var function_id=42
  cpub-dev --no-worker --ports-free --env-file env --dir state`,
		Args:          cobra.ArbitraryArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return fmt.Errorf("unexpected argument %q: a command to run comes after --", args[0])
			}
			f.command = args
			if f.portsFree {
				f.takeFreePorts(cmd)
			}
			opts, err := f.stackOptions()
			if err != nil {
				return err
			}
			return run(cmd.Context(), opts, f)
		},
	}
	set := cmd.Flags()
	set.StringVar(&f.dir, "dir", defaultDir(), "state folder")
	set.StringVar(&f.temporal, "temporal-address", "127.0.0.1:7233", "address of Temporal")
	set.StringVar(&f.ui, "ui-address", "127.0.0.1:8233", "address of Temporal's UI")
	set.StringVar(&f.s3, "s3-address", "127.0.0.1:9000", "address of the S3 gateway")
	set.StringVar(&f.registry, "registry-address", "127.0.0.1:5000", "address of the registry")
	set.StringVar(&f.namespace, "namespace", "default", "Temporal namespace, made when missing")
	set.StringSliceVar(&f.buckets, "bucket", []string{"functions"}, "S3 buckets, made when missing")
	set.StringSliceVar(&f.services, "services", stack.Services(), "what to run; a worker needs temporal")
	set.BoolVar(&f.portsFree, "ports-free", false, "take free ports where no address is given")
	set.BoolVar(&f.noWorker, "no-worker", false, "run the services only")
	set.StringVar(&f.envFile, "env-file", "", "write the environment to this file (sh syntax) when all is ready, remove it at the end")
	cmd.AddCommand(newPutCommand(), newImageCommand())
	return cmd
}

// takeFreePorts replaces the addresses that the user did not give.
func (f *flags) takeFreePorts(cmd *cobra.Command) {
	for name, address := range map[string]*string{
		"temporal-address": &f.temporal,
		"ui-address":       &f.ui,
		"s3-address":       &f.s3,
		"registry-address": &f.registry,
	} {
		if !cmd.Flags().Changed(name) {
			*address = ":0"
		}
	}
}

// stackOptions turns the flags into the stack's options.
func (f flags) stackOptions() (stack.Options, error) {
	if f.dir == "" {
		return stack.Options{}, fmt.Errorf("no state folder: neither --dir nor a home folder is given")
	}
	for _, name := range f.services {
		if !slices.Contains(stack.Services(), name) {
			return stack.Options{}, fmt.Errorf("--services: there is no %q; the services are %s", name, strings.Join(stack.Services(), ", "))
		}
	}
	if !f.noWorker && !slices.Contains(f.services, stack.Temporal) {
		return stack.Options{}, fmt.Errorf("--services %s: a worker needs temporal; add it, or --no-worker", strings.Join(f.services, ","))
	}
	self, err := os.Executable()
	if err != nil {
		return stack.Options{}, fmt.Errorf("finding this program: %w", err)
	}
	return stack.Options{
		Dir:             f.dir,
		Services:        f.services,
		TemporalAddress: f.temporal,
		UIAddress:       f.ui,
		S3Address:       f.s3,
		RegistryAddress: f.registry,
		Namespace:       f.namespace,
		Buckets:         f.buckets,
		GatewayCommand:  []string{self, gatewayArg},
	}, nil
}

// defaultDir is the user's folder for state, as XDG defines it; "" when there
// is none.
func defaultDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "cpub-dev")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "cpub-dev")
}
