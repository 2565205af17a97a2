package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// normalise lets long flags begin with a single dash (-var, -check), as Terraform's do: pflag takes those for a row of
// short flags. Values of flags, and what stands after --, are left alone.
func normalise(root *cobra.Command, args []string) []string {
	set := target(root, args)
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...)
		}
		flag, long := lookup(set, arg)
		if flag != nil && long && !strings.HasPrefix(arg, "--") {
			arg = "-" + arg
		}
		out = append(out, arg)
		if flag != nil && flag.NoOptDefVal == "" && !strings.Contains(arg, "=") && i+1 < len(args) {
			i++
			out = append(out, args[i])
		}
	}
	return out
}

// target is the flags of the command that the arguments name.
func target(root *cobra.Command, args []string) *pflag.FlagSet {
	cmd := root
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") || !cmd.HasSubCommands() {
			break
		}
		next, _, err := cmd.Find([]string{arg})
		if err != nil || next == cmd {
			break
		}
		cmd = next
	}
	cmd.InitDefaultHelpFlag()
	set := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	set.AddFlagSet(cmd.Flags())
	set.AddFlagSet(cmd.InheritedFlags())
	return set
}

// lookup finds the flag that an argument sets, and whether it names it by its long name; nil when it sets none.
func lookup(set *pflag.FlagSet, arg string) (flag *pflag.Flag, long bool) {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
	switch {
	case !strings.HasPrefix(arg, "-") || name == "":
		return nil, false
	case len(name) == 1 && !strings.HasPrefix(arg, "--"):
		return set.ShorthandLookup(name), false
	}
	return set.Lookup(name), true
}
