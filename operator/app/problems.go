package app

import (
	"slices"
	"sync"

	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/source/dir"
)

// problems joins what is wrong with files and with the echo servers that they
// ask for, which two goroutines may find out.
type problems struct {
	locate *dir.Source
	// tell takes all of them, whenever they change; nil tells nobody.
	tell func([]dir.Problem)

	mu    sync.Mutex
	files []dir.Problem
	echo  []dir.Problem
}

func (p *problems) inFiles(list []dir.Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files = list
	p.say()
}

func (p *problems) inEcho(failures []echo.Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.echo = nil
	for _, f := range failures {
		p.echo = append(p.echo, dir.Problem{Place: p.locate.Locate(f.Service, f.Field), Object: f.Service, Field: f.Field, Message: f.Message})
	}
	p.say()
}

func (p *problems) say() {
	if p.tell != nil {
		p.tell(p.both())
	}
}

func (p *problems) both() []dir.Problem { return slices.Concat(p.files, p.echo) }

// all is everything that is wrong now.
func (p *problems) all() []dir.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.both()
}
