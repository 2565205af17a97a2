//go:build unix

// Command probe is what the containers of the conformance suites run: it shows from inside what a container may do. Built without
// cgo it is static, so that an image of it needs nothing else.
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if filepath.Base(os.Args[0]) == "sh" {
		shell(os.Args[1:])
		return
	}
	if len(os.Args) < 2 {
		fmt.Println("probe")
		return
	}
	commands := map[string]func(args []string) error{
		"alloc": alloc, "fork": fork, "net": network, "status": status, "sleep": sleep, "write": write, "exit": exit,
		"cat": cat, "spam": spam, "burn": burn, "env": env, "stubborn": stubborn, "raise": raise, "wait": wait, "mounts": mounts, "list": list, "fill": fill,
		"spawn": spawn, "heed": heed, "later": later, "serve": serve, "reach": reach, "sum": sum,
		"stat": stat, "put": put, "link": link, "mkdir": mkdir, "limits": limits,
	}
	run, ok := commands[os.Args[1]]
	if !ok {
		fail(fmt.Errorf("unknown command %q", os.Args[1]))
	}
	if err := run(os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "probe:", err)
	os.Exit(1)
}

func number(args []string) int {
	if len(args) == 0 {
		return 0
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		fail(err)
	}
	return n
}

// alloc touches so many MiB.
func alloc(args []string) error {
	var held [][]byte
	for range number(args) {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
	_, err := fmt.Println("allocated", len(held), "MiB")
	return err
}

// fork starts sleeping children until it cannot, and prints how many there were.
func fork(args []string) error {
	n := 0
	for ; n < number(args); n++ {
		_, err := os.StartProcess("/proc/self/exe", []string{"probe", "sleep", "30"}, &os.ProcAttr{})
		if err != nil {
			fmt.Println("stopped by:", err)
			break
		}
	}
	_, err := fmt.Println("children", n)
	return err
}

// network lists the interfaces and tries to reach an address.
func network(args []string) error {
	ifs, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range ifs {
		fmt.Println("interface", i.Name)
	}
	if len(args) == 0 {
		return nil
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", args[0])
	if err != nil {
		fmt.Println("unreachable:", err)
		return nil
	}
	fmt.Println("reached", args[0])
	return c.Close()
}

// status prints what the kernel says of this process: capabilities, no_new_privs, the user namespace, the parent.
func status([]string) error {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		for _, want := range []string{"Cap", "NoNewPrivs", "Seccomp:", "Uid"} {
			if strings.HasPrefix(line, want) {
				fmt.Print(line)
			}
		}
	}
	m, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	fmt.Print("uid_map", string(m))
	init, err := os.ReadFile("/proc/1/comm")
	if err != nil {
		return err
	}
	fmt.Print("init ", string(init))
	return nil
}

func sleep(args []string) error {
	time.Sleep(time.Duration(number(args)) * time.Second)
	return nil
}

// write writes a file at each path and says how that went.
func write(args []string) error {
	for _, p := range args {
		if _, err := fmt.Printf("write %s: %v\n", p, os.WriteFile(p, []byte("x"), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// fill writes a file of so many MiB.
func fill(args []string) error {
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	for range number(args[1:]) {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
	return f.Close()
}

func exit(args []string) error {
	os.Exit(number(args))
	return nil
}

// cat copies stdin to stdout.
func cat([]string) error {
	_, err := io.Copy(os.Stdout, os.Stdin)
	return err
}

// spam writes so many bytes to each of stdout and stderr.
func spam(args []string) error {
	line := strings.Repeat("x", 63) + "\n"
	for written := 0; written < number(args); written += len(line) {
		for _, f := range []*os.File{os.Stdout, os.Stderr} {
			if _, err := f.WriteString(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// burn uses as much CPU as it gets, for so many milliseconds of wall time, and prints how much that was.
func burn(args []string) error {
	end := time.Now().Add(time.Duration(number(args)) * time.Millisecond)
	for time.Now().Before(end) {
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return err
	}
	fmt.Println("cpu_ms", (used.Utime.Nano()+used.Stime.Nano())/1e6)
	return nil
}

// list prints the files below folders, with what is in them.
func list(args []string) error {
	for _, root := range args {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			fmt.Printf("file %s %s\n", path, b)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func env(args []string) error {
	for _, name := range args {
		fmt.Printf("%s=%s\n", name, os.Getenv(name))
	}
	wd, err := os.Getwd()
	fmt.Println("workdir", wd, "uid", os.Getuid(), "gid", os.Getgid())
	return err
}

// stubborn ignores SIGTERM.
func stubborn(args []string) error {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println("ignoring SIGTERM")
	return sleep(args)
}

// raise kills itself by a signal.
func raise(args []string) error {
	if err := syscall.Kill(os.Getpid(), syscall.Signal(number(args))); err != nil {
		return err
	}
	select {}
}

// wait prints a line every 100 ms, for so many lines.
func wait(args []string) error {
	for i := range number(args) {
		if _, err := fmt.Println("line", i); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// mounts lists the mount points, with their types and options.
func mounts([]string) error {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 3 {
			fmt.Println(filepath.Clean(f[1]), f[2], f[3])
		}
	}
	return nil
}
