package upstream

import (
	"context"
	"net"
	"time"
)

// mostLasting bounds, for one endpoint, the attempts to connect that outlive who
// has asked for them.
const mostLasting = 3

// connectFor opens a connection for one try. Where that has less time than a
// connection may take, the attempt goes on without it: only its own end tells
// whether the endpoint is there, and a node that drops packets would else never be
// found out by tries that give up first.
func (p *Pool) connectFor(ctx context.Context, e *endpoint) (net.Conn, error) {
	most := time.Duration(p.connect.Load())
	if until, bounded := ctx.Deadline(); !bounded || most <= 0 || time.Until(until) >= most {
		return p.connectTo(ctx, e.name, "")
	}
	if e.lasting.Add(1) > mostLasting {
		defer e.lasting.Add(-1)
		return p.connectTo(ctx, e.name, "")
	}
	done := make(chan opened, 1)
	go func() {
		defer e.lasting.Add(-1)
		c, err := p.connectTo(context.WithoutCancel(ctx), e.name, "")
		done <- opened{c, err}
	}()
	select {
	case o := <-done:
		return o.conn, o.err
	case <-ctx.Done():
		go p.learn(e, done)
		return nil, ctx.Err()
	}
}

// opened is how an attempt to connect has ended.
type opened struct {
	conn net.Conn
	err  error
}

// learn waits for the end of an attempt, whose connection nobody wants.
func (p *Pool) learn(e *endpoint, done <-chan opened) {
	o := <-done
	if o.err != nil {
		p.missed(e, o.err)
		return
	}
	o.conn.Close()
	p.reached(e)
}
