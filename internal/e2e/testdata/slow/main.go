// Command slow is a function for tests: it sleeps for as long as its argument says, then prints a line of JSON.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: slow DURATION")
		os.Exit(2)
	}
	d, err := time.ParseDuration(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "slow:", err)
		os.Exit(2)
	}
	fmt.Printf("{\"sleeping\": %q}\n", d)
	time.Sleep(d)
	fmt.Printf("{\"slept\": %q}\n", d)
}
