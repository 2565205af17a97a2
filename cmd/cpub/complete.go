package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionTime is how long a shell waits for what its completion asks for: nobody who presses a key waits longer.
const completionTime = 2 * time.Second

// completeSchedule completes the name of a schedule by those that Temporal has. Where Temporal does not answer in time there is nothing to
// choose from, and nothing is said: it would stand in the middle of what the user types.
func completeSchedule(c *stdio) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		cl, done, err := connect(ctx, c, false)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer done()
		names, err := cl.ScheduleNames(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var fit []cobra.Completion
		for _, name := range names {
			if strings.HasPrefix(name, start) {
				fit = append(fit, name)
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp
	}
}
