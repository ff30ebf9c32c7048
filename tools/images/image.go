package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// source is where the images say that they come from.
const source = "https://github.com/sluice-gateway/sluice"

// epoch is the time of everything in an image: what an image is does not depend
// on when it was made.
var epoch = time.Unix(0, 0).UTC()

// searched is where programs are looked for in an image that has folders of
// them, as in those of distributions.
const searched = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// content is what an image is made of.
type content struct {
	// program is the path of an executable, which becomes <folder>/<its name>.
	program string
	// folder is "/" where it is empty.
	folder string
	// libraries says that the program is not static: the image has what it loads,
	// which is this machine's, or that of the system whose files are in root.
	libraries bool
	root      string
	// user is who the program runs as; the one of the product where it is empty.
	user account
	// version is a label's; empty for none.
	version string
	arch    string
}

// image holds the program and nothing that it does not load: no shell, no passwd
// but for a user with a name, and no CA certificates: sluice-proxy brings its own.
func (c content) image() (v1.Image, error) {
	file := path.Join("/", c.folder, filepath.Base(c.program))
	executables := map[string]string{file: c.program}
	if c.libraries {
		loaded, err := system(c.root).libraries(c.program)
		if err != nil {
			return nil, err
		}
		maps.Copy(executables, loaded)
	}
	archive, err := pack(executables, c.user.files())
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(base, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "tools/images", Created: v1.Time{Time: epoch}}})
	if err != nil {
		return nil, err
	}
	return c.configured(img, file)
}

func (c content) configured(img v1.Image, entrypoint string) (v1.Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", c.arch
	config.Created = v1.Time{Time: epoch}
	config.Config = v1.Config{User: c.user.String(), Entrypoint: []string{entrypoint}, WorkingDir: "/", Labels: c.labels(path.Base(entrypoint))}
	if c.folder != "" {
		config.Config.Env = []string{searched}
	}
	return mutate.ConfigFile(img, config)
}

func (c content) labels(title string) map[string]string {
	if c.version == "" {
		return nil
	}
	return map[string]string{
		"org.opencontainers.image.title":    title,
		"org.opencontainers.image.version":  c.version,
		"org.opencontainers.image.source":   source,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
}

// pack returns a layer with executables, which are files of this machine by their
// paths in the image, with texts, and with the folders that they are in.
func pack(executables, texts map[string]string) ([]byte, error) {
	files := map[string]entry{}
	for name, file := range executables {
		data, err := os.ReadFile(file) //nolint:gosec // The caller says what is packed.
		if err != nil {
			return nil, err
		}
		files[name] = entry{mode: 0o755, data: data}
	}
	for name, text := range texts {
		files[name] = entry{mode: 0o644, data: []byte(text)}
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, dir := range folders(files) {
		if err := w.WriteHeader(&tar.Header{Name: dir + "/", Mode: 0o755, Typeflag: tar.TypeDir, ModTime: epoch}); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg, ModTime: epoch}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	// Closing writes the archive's end.
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

// entry is a file of a layer.
type entry struct {
	mode int64
	data []byte
}

// folders are those of files, but for the root, those above others first.
func folders(files map[string]entry) []string {
	all := map[string]bool{}
	for name := range files {
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			all[dir] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// packOne writes one program's image under several names.
func packOne(out string, references []string, c content) error {
	c.arch = runtime.GOARCH
	img, err := c.image()
	if err != nil {
		return err
	}
	return archive(out, references, img)
}

// archive writes what `ctr images import` and `docker load` take. The file
// appears when it is whole. The order of everything is fixed, so that the same
// image is the same file.
func archive(out string, references []string, img v1.Image) error {
	for _, reference := range references {
		if _, err := name.NewTag(reference, name.StrictValidation); err != nil {
			return fmt.Errorf("%q is no image name: %w", reference, err)
		}
	}
	files, err := members(slices.Sorted(slices.Values(references)), img)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o750); err != nil {
		return err
	}
	var all bytes.Buffer
	w := tar.NewWriter(&all)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), ModTime: epoch, Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(out+".part", all.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(out+".part", out)
}

type member struct {
	name string
	data []byte
}

// members are the files of an archive: the configuration, the layers, and the
// manifest that names them.
func members(references []string, img v1.Image) ([]member, error) {
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, err
	}
	digest, err := img.ConfigName()
	if err != nil {
		return nil, err
	}
	files := []member{{digest.String(), config}}
	manifest := tarball.Descriptor{Config: digest.String(), RepoTags: references}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		f, err := layerFile(layer)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		manifest.Layers = append(manifest.Layers, f.name)
	}
	text, err := json.Marshal(tarball.Manifest{manifest})
	return append(files, member{"manifest.json", text}), err
}

func layerFile(layer v1.Layer) (member, error) {
	digest, err := layer.Digest()
	if err != nil {
		return member{}, err
	}
	compressed, err := layer.Compressed()
	if err != nil {
		return member{}, err
	}
	defer compressed.Close()
	data, err := io.ReadAll(compressed)
	return member{digest.Hex + ".tar.gz", data}, err
}
