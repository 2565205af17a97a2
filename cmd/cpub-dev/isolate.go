package main

import (
	"fmt"
	"os"
	"strings"
)

// isolate removes from the environment, for the worker in this process and for
// the user's command, whatever leads Temporal's and the AWS SDKs elsewhere:
// an API key, a profile or a session token that belongs to another account
// would be sent to this stack, and make it unreachable.
func isolate() error {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "TEMPORAL_") && !strings.HasPrefix(name, "AWS_") {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("removing %s from the environment: %w", name, err)
		}
	}
	if err := os.Setenv("TEMPORAL_CONFIG_FILE", os.DevNull); err != nil { // the profiles' file
		return fmt.Errorf("setting the environment: %w", err)
	}
	return nil
}
