package container

import (
	"fmt"
	"strconv"
	"strings"
)

// names are the kernel's capabilities by their numbers.
func names() []string {
	return []string{
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
		"NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
		"SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
		"AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
		"PERFMON", "BPF", "CHECKPOINT_RESTORE",
	}
}

// capabilities lists the capabilities of a mask as /proc/PID/status writes it.
func capabilities(mask string) []string {
	bits, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return []string{"CAP_" + mask}
	}
	list := []string{}
	known := names()
	for i := range 64 {
		if bits&(1<<i) == 0 {
			continue
		}
		if i < len(known) {
			list = append(list, "CAP_"+known[i])
		} else {
			list = append(list, fmt.Sprintf("CAP_%d", i))
		}
	}
	return list
}

// capName is a capability's full name: users may leave out CAP_ and write it in any case.
func capName(s string) string {
	s = strings.ToUpper(s)
	if !strings.HasPrefix(s, "CAP_") {
		s = "CAP_" + s
	}
	return s
}
