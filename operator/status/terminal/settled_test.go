package terminal

import "testing"

func TestWhatWaitsBesideWhatIsWrongIsWaitedFor(t *testing.T) {
	waits := trouble{condition: "Programmed", mark: waiting}
	waitingListener := trouble{subject: "listener a", listener: true, condition: "Programmed", mark: waiting}
	wrongListener := trouble{subject: "listener b", listener: true, condition: "ResolvedRefs", mark: bad}
	wrong := trouble{condition: "Accepted", mark: bad}
	for name, c := range map[string]struct {
		troubles []trouble
		settled  bool
	}{
		"nothing":                        {nil, true},
		"the Gateway waits":              {[]trouble{waits}, false},
		"it waits, a listener is wrong":  {[]trouble{waits, wrongListener}, false},
		"a listener waits, one is wrong": {[]trouble{waitingListener, wrongListener}, false},
		"a listener of a wrong Gateway":  {[]trouble{waitingListener, wrong}, true},
		"a listener is wrong":            {[]trouble{wrongListener}, true},
	} {
		b := &board{rows: []row{{mark: bad, troubles: c.troubles}}}
		if got := b.settled(); got != c.settled {
			t.Errorf("%s: settled is %v", name, got)
		}
	}
}
