// Command hello is an example function: it reads its input from FUNCTION_INPUT, as JSON, and prints its result as JSON. It also
// tells what it can see of its cage.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
)

type result struct {
	Greeting   string   `json:"greeting"`
	Interfaces []string `json:"interfaces"`
	RootUser   bool     `json:"root_user"`
	RootFS     string   `json:"root_filesystem"`
	Go         string   `json:"go"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run() error {
	input := struct {
		Name string `json:"name"`
	}{Name: "world"}
	if text := os.Getenv("FUNCTION_INPUT"); text != "" {
		if err := json.Unmarshal([]byte(text), &input); err != nil {
			return fmt.Errorf("FUNCTION_INPUT is no JSON object: %w", err)
		}
	}
	r := result{Greeting: "Hello, " + input.Name + "!", RootUser: os.Getuid() == 0, RootFS: rootFS(), Go: runtime.Version()}
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("listing network interfaces: %w", err)
	}
	for _, i := range interfaces {
		r.Interfaces = append(r.Interfaces, i.Name)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// rootFS says whether the root can be written.
func rootFS() string {
	f, err := os.CreateTemp("/", "probe")
	if err != nil {
		return "read-only"
	}
	f.Close()
	os.Remove(f.Name())
	return "writable"
}
