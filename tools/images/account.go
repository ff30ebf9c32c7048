package main

import (
	"fmt"
	"regexp"
	"strconv"
)

// account is the user of an image.
type account struct {
	// name is in the image's passwd; the images of the product have none.
	name   string
	number int
}

// nobody is who the product's programs run as: a number, so that a kubelet sees
// that it is not root.
const nobody = 65532

var accountForm = regexp.MustCompile(`^([a-z][a-z0-9-]*):([1-9][0-9]{0,4})$`)

// readAccount reads "name:number"; nothing is the product's user.
func readAccount(text string) (account, error) {
	if text == "" {
		return account{}, nil
	}
	parts := accountForm.FindStringSubmatch(text)
	if parts == nil {
		return account{}, fmt.Errorf("the user is %q: want name:number, such as haproxy:99, and not root", text)
	}
	number, err := strconv.Atoi(parts[2])
	return account{name: parts[1], number: number}, err
}

// String is how an image's configuration has it.
func (a account) String() string {
	if a.name != "" {
		return a.name
	}
	return fmt.Sprintf("%d:%d", nobody, nobody)
}

// files make the name one that is known in the image.
func (a account) files() map[string]string {
	if a.name == "" {
		return nil
	}
	return map[string]string{
		"/etc/passwd": fmt.Sprintf("root:x:0:0:root:/:/sbin/nologin\n%s:x:%d:%d::/:/sbin/nologin\n", a.name, a.number, a.number),
		"/etc/group":  fmt.Sprintf("root:x:0:\n%s:x:%d:\n", a.name, a.number),
	}
}
