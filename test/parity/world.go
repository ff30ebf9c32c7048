package parity

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/test/parity/peer"
	"github.com/sluice-gateway/sluice/test/parity/pki"
)

// portOffset keeps listeners out of the privileged ports and below those that
// the system gives to clients.
const portOffset = 20000

// world is all that one case needs around the proxy: a directory, an address,
// certificates and backends.
type world struct {
	dir        string
	controller string
	// address is a loopback address that no other case has, and claim what
	// keeps it so.
	address string
	claim   net.Listener
	book    *pki.Book
	record  *peer.Record
	objects []object
	peers   map[string]*running
	// retired are endpoints that an edit replaced: they serve on, because what
	// a proxy still has under way with them must not fail.
	retired []*running
	saved   map[string]string
	jars    map[string]map[string]string
}

func newWorld(dir, controller string) (*world, error) {
	address, claim, err := claimAddress()
	if err != nil {
		return nil, err
	}
	return &world{
		dir: dir, controller: controller, address: address, claim: claim,
		book: pki.NewBook(), record: peer.NewRecord(),
		peers: map[string]*running{},
		saved: map[string]string{
			"long7k":  strings.Repeat("x", 7<<10),
			"long20k": strings.Repeat("x", 20<<10),
		},
		jars: map[string]map[string]string{},
	}, nil
}

// claimAddress finds a loopback address that no other case of any process uses.
func claimAddress() (string, net.Listener, error) {
	var last error
	for range 100 {
		address := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		claim, err := net.Listen("tcp", net.JoinHostPort(address, "19999"))
		if err == nil {
			return address, claim, nil
		}
		last = err
	}
	return "", nil, fmt.Errorf("no loopback address is free: %w", last)
}

func (w *world) close() {
	for _, run := range w.peers {
		run.stop()
	}
	for _, run := range w.retired {
		run.stop()
	}
	w.claim.Close()
}

// apply takes objects in, in place of those with the same kind and name.
func (w *world) apply(manifest string) error {
	objects, err := parse(manifest)
	if err != nil {
		return err
	}
	for _, o := range objects {
		made, err := w.expand(o)
		if err != nil {
			return err
		}
		if o.kind() == "Service" {
			w.dropSlices(o)
		}
		for _, m := range made {
			w.put(m)
		}
	}
	return nil
}

func (w *world) put(o object) {
	i := slices.IndexFunc(w.objects, func(old object) bool { return old.id() == o.id() })
	if i < 0 {
		w.objects = append(w.objects, o)
		return
	}
	w.objects[i] = o
}

func (w *world) dropSlices(service object) {
	w.objects = slices.DeleteFunc(w.objects, func(o object) bool {
		return o.kind() == "EndpointSlice" && o.namespace() == service.namespace() &&
			o.text("metadata", "labels", "kubernetes.io/service-name") == service.name()
	})
}

func (w *world) remove(id string) error {
	before := len(w.objects)
	w.objects = slices.DeleteFunc(w.objects, func(o object) bool { return o.id() == id })
	if len(w.objects) == before {
		return fmt.Errorf("delete: there is no %s", id)
	}
	return nil
}

// write puts the objects into the directory. The file appears whole: a watcher
// never reads half of it.
func (w *world) write() error {
	if !slices.ContainsFunc(w.objects, func(o object) bool { return o.id() == "GatewayClass sluice" }) {
		w.put(className(w.controller, nil))
	}
	content, err := render(w.objects)
	if err != nil {
		return err
	}
	return w.writeFile("in.yaml", content)
}

func (w *world) writeFile(name string, content []byte) error {
	temporary := filepath.Join(w.dir, "."+name+".tmp")
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(w.dir, name))
}

// expand makes what an object's annotations ask for.
func (w *world) expand(o object) ([]object, error) {
	switch o.kind() {
	case "GatewayClass":
		return []object{className(w.controller, o)}, nil
	case "Service":
		var spec Backend
		if ok, err := o.takeAnnotation(backendAnnotation, &spec); !ok {
			return []object{o}, err
		}
		endpoints, err := w.start(o, spec)
		return append([]object{o}, endpoints...), err
	case "Secret":
		return []object{o}, w.certify(o)
	case "ConfigMap":
		return []object{o}, w.authorities(o)
	}
	return []object{o}, nil
}

func (w *world) certify(o object) error {
	leaf := pki.Leaf{CA: "front"}
	if ok, err := o.takeAnnotation(certificateAnnotation, &leaf); !ok {
		return err
	}
	pair, err := w.book.Issue(leaf)
	if err != nil {
		return err
	}
	o["type"] = "kubernetes.io/tls"
	o["data"] = map[string]any{
		"tls.crt": base64.StdEncoding.EncodeToString(pair.Chain),
		"tls.key": base64.StdEncoding.EncodeToString(pair.Key),
	}
	return nil
}

func (w *world) authorities(o object) error {
	var names []string
	if ok, err := o.takeAnnotation(caAnnotation, &names); !ok {
		return err
	}
	var bundle strings.Builder
	for _, name := range names {
		ca, err := w.book.CA(name)
		if err != nil {
			return err
		}
		bundle.Write(ca)
	}
	o["data"] = map[string]any{"ca.crt": bundle.String()}
	return nil
}

func newBuffered(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

func strictJSON(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// change does what an edit says, but for writing the objects out.
func (w *world) change(e *Edit) error {
	if err := w.apply(e.Apply); err != nil {
		return err
	}
	for _, id := range e.Delete {
		if err := w.remove(id); err != nil {
			return err
		}
	}
	for name, text := range e.Write {
		if err := w.writeFile(name, []byte(text)); err != nil {
			return err
		}
	}
	for _, name := range e.Remove {
		if err := w.removeFile(name); err != nil {
			return err
		}
	}
	return nil
}

// texts are the objects as they are written, by id.
func (w *world) texts() (map[string]string, error) {
	texts := map[string]string{}
	for _, o := range w.objects {
		text, err := render([]object{o})
		if err != nil {
			return nil, err
		}
		texts[o.id()] = string(text)
	}
	return texts, nil
}

func (w *world) removeFile(name string) error { return os.Remove(filepath.Join(w.dir, name)) }
