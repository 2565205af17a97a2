//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// serve listens at an address, such as 127.0.0.1:8080, after so many milliseconds, and answers everybody with a text.
func serve(args []string) error {
	fmt.Println("starting")
	time.Sleep(time.Duration(number(args[1:])) * time.Millisecond)
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println("serving", args[0])
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		_, _ = io.WriteString(c, args[2]) // who asks may be gone
		_ = c.Close()
	}
}

// reach prints what an address answers, and fails if nobody is there.
func reach(args []string) error {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", args[0])
	if err != nil {
		return err
	}
	b, err := io.ReadAll(c)
	fmt.Printf("%s says: %s\n", args[0], b)
	return err
}
