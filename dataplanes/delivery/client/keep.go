package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/canonical"
)

// magic begins a file of the last good set; a sum over the rest follows it.
const magic = "sluice-set\n"

// stateFile is the file's name in the state directory.
const stateFile = "last-good-set"

// kept is what the file holds.
type kept struct {
	Wire       uint64
	Unit       ir.Object
	Term       uint64
	Zone, Node string
	Push       wire.Push
	Parts      []wire.Part
}

// save writes the active set whenever it is another one, and gives the writing
// a fiftieth of the time: endpoints may change many times a second.
func (c *client) save(ctx context.Context) {
	if c.opts.StateDir == "" {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.dirty:
		}
		began := time.Now()
		if err := c.write(); err != nil {
			c.opts.Log.Error(err, "The last good set could not be kept")
		}
		const share = 50
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(time.Second, share*time.Since(began))):
		}
	}
}

// write replaces the file as a whole, readable by this user alone.
func (c *client) write() error {
	c.mu.Lock()
	active, k := c.active, kept{Wire: wire.Version, Unit: c.opts.Unit, Term: c.term, Zone: c.place.Zone, Node: c.place.Node}
	c.mu.Unlock()
	if active == nil {
		return nil
	}
	k.fill(active.set)
	body := canonical.Append(nil, k)
	sum := sha256.Sum256(body)
	data := bytes.Join([][]byte{[]byte(magic), sum[:], body}, nil)
	path := filepath.Join(c.opts.StateDir, stateFile)
	// What a container that was killed has left must not stay: it holds keys.
	left, _ := filepath.Glob(path + "-*")
	for _, file := range left {
		_ = os.Remove(file) // Where it stays, it harms no more than the file does.
	}
	// A file of CreateTemp is its owner's alone.
	file, err := os.CreateTemp(c.opts.StateDir, stateFile+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func (k *kept) fill(s *set) {
	k.Push = wire.Push{Version: s.manifest.Version, SessionKey: s.key, Total: s.manifest.Total()}
	add := func(kind wire.Kind, i int, part any) {
		k.Parts = append(k.Parts, wire.WritePart(kind, s.manifest.List(kind)[i], part))
	}
	for kind := range wire.Kinds {
		if list := s.manifest.List(kind); len(list) > 0 {
			k.Push.Edits = append(k.Push.Edits, wire.Edit{Kind: kind, Splices: []wire.Splice{{Insert: list}}})
		}
	}
	add(wire.Rest, 0, s.rest)
	each(s.unit.Proxy.Listeners, wire.Listeners, add)
	each(s.unit.Proxy.Routes, wire.Routes, add)
	each(s.unit.Proxy.Backends, wire.Backends, add)
	each(s.unit.Proxy.Certificates, wire.Certificates, add)
	each(s.unit.Endpoints, wire.Endpoints, add)
}

func each[T any](list []*T, kind wire.Kind, add func(wire.Kind, int, any)) {
	for i, part := range list {
		add(kind, i, part)
	}
}

// restore serves the set that the container ran before it was restarted. A file
// that is not whole, or another's, is as good as none.
func (c *client) restore(ctx context.Context) {
	if c.opts.StateDir == "" {
		return
	}
	path := filepath.Join(c.opts.StateDir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var k kept
	var last *set
	if err == nil {
		last, err = k.read(data, c.opts.Unit)
	}
	if err != nil {
		c.opts.Log.Info("The last good set is of no use: the operator's is waited for", "file", path, "why", err.Error())
		return
	}
	c.opts.Log.Info("The last good set serves until the operator answers", "version", last.manifest.Version)
	c.mu.Lock()
	c.term, c.place = k.Term, place{k.Zone, k.Node}
	c.mu.Unlock()
	c.apply(ctx, last, 0)
}

func (k *kept) read(data []byte, unit ir.Object) (*set, error) {
	body, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok || len(body) < sha256.Size {
		return nil, errors.New("it is no file of a set")
	}
	if sum := sha256.Sum256(body[sha256.Size:]); !bytes.Equal(sum[:], body[:sha256.Size]) {
		return nil, errors.New("it is not whole")
	}
	if err := canonical.Decode(body[sha256.Size:], k); err != nil {
		return nil, err
	}
	switch {
	case k.Wire != wire.Version:
		return nil, fmt.Errorf("it is of wire version %d", k.Wire)
	case k.Unit != unit:
		return nil, fmt.Errorf("it is of %v", k.Unit)
	}
	var parts staged
	parts.add(k.Parts, unit)
	if len(parts.wrong) > 0 {
		return nil, errors.New(parts.wrong[0].Message)
	}
	last, err := (&set{}).next(&k.Push, parts.parts)
	if err == nil && last.unit.Proxy.Owner != unit {
		err = errOwner
	}
	return last, err
}
