package h2

import "sync"

// task is what a worker does.
type task interface{ run() }

// workers are goroutines that wait for something to do: their stacks have grown
// already, which is most of what a fresh one costs.
type workers struct {
	mu   sync.Mutex
	idle []chan task
}

// mostWorkers bounds those that wait.
const mostWorkers = 256

var pool workers

// start runs a task on a worker.
func (w *workers) start(t task) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		c := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		c <- t
		return
	}
	w.mu.Unlock()
	go w.work(t)
}

func (w *workers) work(t task) {
	c := make(chan task, 1)
	for {
		t.run()
		w.mu.Lock()
		if len(w.idle) >= mostWorkers {
			w.mu.Unlock()
			return
		}
		w.idle = append(w.idle, c)
		w.mu.Unlock()
		t = <-c
	}
}
