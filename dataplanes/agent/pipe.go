package agent

import (
	"io"
	"os"
	"os/exec"
	"time"
)

// A proxy writes a line for each request, in blocks. What reads them wakes up once
// a block, with a buffer and a pipe that hold several: the process that writes
// seldom waits, and a wake costs as much as many lines.
const (
	blockSize = 256 << 10
	pipeSize  = 1 << 20
)

// read runs a program and hands on what it writes, until it has ended and all has
// been read.
func (c *Child) read(cmd *exec.Cmd) error {
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer from.Close()
	widen(to)
	cmd.Stdout = to
	err = c.start(cmd)
	_ = to.Close()
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		handOn(c.program.Lines, from)
	}()
	err = cmd.Wait()
	// Another process may hold the pipe open for ever.
	_ = from.SetReadDeadline(time.Now().Add(lastWords))
	<-done
	return err
}

// handOn writes block by block until there is no more. What cannot be written is
// lost: the process must not wait for it.
func handOn(to io.Writer, from io.Reader) {
	block := make([]byte, blockSize)
	for {
		n, err := from.Read(block)
		if n > 0 {
			_, _ = to.Write(block[:n])
		}
		if err != nil {
			return
		}
	}
}
