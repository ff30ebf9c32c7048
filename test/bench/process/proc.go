package process

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// tick is what /proc/PID/stat counts in: USER_HZ, which is 100 on every Linux.
const tick = 10 * time.Millisecond

// Usage is what a process and those that descend from it have used.
type Usage struct {
	// CPU is user and system time, that of children which have ended included.
	CPU time.Duration
	// RSS is resident memory in bytes, as each process counts it: pages that
	// they share count for each.
	RSS int64
}

// Read returns the usage of process pid, from a /proc.
func Read(proc fs.FS, pid int) (Usage, error) {
	all, err := readAll(proc)
	if err != nil {
		return Usage{}, err
	}
	if _, ok := all[pid]; !ok {
		return Usage{}, fmt.Errorf("process %d is not in /proc: it has ended", pid)
	}
	var sum Usage
	for id, s := range all {
		if !descends(all, id, pid) {
			continue
		}
		sum.CPU += s.cpu
		rss, err := readRSS(proc, id)
		if err == nil {
			sum.RSS += rss
		}
	}
	return sum, nil
}

// one is a line of /proc/PID/stat.
type one struct {
	parent int
	cpu    time.Duration
}

func readAll(proc fs.FS) (map[int]one, error) {
	names, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil, fmt.Errorf("no /proc here: %w", err)
	}
	all := map[int]one{}
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		text, err := fs.ReadFile(proc, n.Name()+"/stat")
		if err != nil {
			continue // It ended while the folder was read.
		}
		if all[pid], err = parseStat(string(text)); err != nil {
			return nil, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return all, nil
}

// parseStat reads fields 4 (ppid) and 14 to 17 (utime, stime, cutime, cstime)
// of proc(5). The name in field 2 may hold spaces and parentheses.
func parseStat(text string) (one, error) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 15 {
		return one{}, fmt.Errorf("want a name in parentheses and at least 15 fields behind it, got %q", text)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return one{}, fmt.Errorf("ppid: %w", err)
	}
	s := one{parent: parent}
	for _, f := range fields[11:15] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return one{}, fmt.Errorf("times: %w", err)
		}
		s.cpu += time.Duration(ticks) * tick
	}
	return s, nil
}

// descends follows parents as often as there are processes at most, as a
// listing that is read while processes come and go may hold a circle.
func descends(all map[int]one, id, from int) bool {
	for range len(all) {
		if id == from {
			return true
		}
		s, ok := all[id]
		if !ok {
			return false
		}
		id = s.parent
	}
	return false
}

func readRSS(proc fs.FS, pid int) (int64, error) {
	text, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/status")
	if err != nil {
		return 0, err
	}
	return parseRSS(string(text))
}

// parseRSS reads VmRSS, which the kernel gives in KiB.
func parseRSS(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS in status: a process that ends has none")
}

// Idle returns the share of the machine's time that nobody used, between two
// readings of /proc/stat.
func Idle(before, after string) (float64, error) {
	idle0, all0, err := parseCPU(before)
	if err != nil {
		return 0, err
	}
	idle1, all1, err := parseCPU(after)
	if err != nil || all1 <= all0 {
		return 0, fmt.Errorf("no time between two readings of /proc/stat: %w", err)
	}
	return float64(idle1-idle0) / float64(all1-all0), nil
}

// parseCPU reads the first line of /proc/stat: the fourth and fifth number are
// idle and waiting for disks; guests' time is in user's already.
func parseCPU(text string) (idle, all int64, err error) {
	first, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q, want cpu and eight numbers", first)
	}
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		all += n
		if i == 3 || i == 4 {
			idle += n
		}
	}
	return idle, all, nil
}
