package haproxy

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A connection of QUIC whose handshake is under way when its worker is told to end is
// stranded: HAProxy completes the handshake, and gives the connection to a listener
// only where that still listens. What the client sends is kept and never read, until
// the worker has heard nothing for half a minute, or ends. Its socket takes what comes
// from this client, so that the worker that serves cannot tell the client to begin
// again.

// mostStranded is how many connections a worker may have left to be looked at each:
// the answer has a KiB for each. Handshakes of one moment are fewer.
const mostStranded = 1000

// glance bounds all that is asked of workers from before. One that ends just then may
// never answer, and changes wait meanwhile.
const glance = 500 * time.Millisecond

// release ends workers that have nothing left but stranded connections. The next thing
// that such a client sends reaches the worker that serves, which answers that nobody
// knows the connection. It reports whether workers may be there from before.
func (p *process) release(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	all := p.workers(ctx)
	for _, pid := range all {
		if p.strands(ctx, pid) {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
	return len(all) != 1
}

// stranded is how HAProxy tells of a connection that is stranded. Clients do not
// understand what the worker that serves would say to those that have not shaken hands
// yet.
var stranded = regexp.MustCompile(`st=opened +mux=null`)

// strands reports whether a worker is to end, and has stranded connections alone.
func (p *process) strands(ctx context.Context, pid int) bool {
	of := "@!" + strconv.Itoa(pid) + " "
	said, err := p.master.Ask(ctx, of+"show info")
	open := numberOf(said, "CurrConns")
	if err != nil || numberOf(said, "Stopping") == 0 || open == 0 || open > mostStranded {
		return false
	}
	said, err = p.master.Ask(ctx, of+"show quic full")
	return err == nil && len(stranded.FindAllString(said, -1)) == open
}

// numberOf returns what an answer to "show info" has by a name; 0 for none.
func numberOf(said, name string) int {
	for line := range strings.Lines(said) {
		if number, ok := strings.CutPrefix(line, name+": "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(number))
			return n
		}
	}
	return 0
}

// workers are those that run, those from before included.
func (p *process) workers(ctx context.Context) []int {
	said, err := p.master.Ask(ctx, "show proc")
	if err != nil {
		return nil
	}
	var all []int
	for line := range strings.Lines(said) {
		if words := strings.Fields(line); len(words) > 1 && words[1] == "worker" {
			if pid, err := strconv.Atoi(words[0]); err == nil && pid > 0 {
				all = append(all, pid)
			}
		}
	}
	return all
}

// drain has workers take no new connection, and end with their last.
func (p *process) drain(ctx context.Context) {
	if p.child == nil {
		return
	}
	under, cancel := context.WithCancel(ctx)
	defer cancel()
	go p.releaseEach(under, time.Second)
	p.child.Release(ctx, syscall.SIGUSR1)
}

func (p *process) releaseEach(ctx context.Context, pause time.Duration) {
	each := time.NewTicker(pause)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
			p.release(ctx)
		}
	}
}
