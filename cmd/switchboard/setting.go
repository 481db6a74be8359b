package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// A setting is one field of config, under its names.
type setting struct {
	key   string // "limits.client-queue-bytes"
	kind  kind
	index []int // of the field in config
}

// A kind is a way to write a value.
type kind int

const (
	kindText     kind = iota // string
	kindList                 // []string
	kindCount                // int
	kindSize                 // int in bytes, which may be written with a unit
	kindDuration             // time.Duration
)

// String is how help shows the kind.
func (k kind) String() string {
	return [...]string{"text", "text", "number", "size", "duration"}[k]
}

// settings returns the fields of config in order. It panics when a field has a
// type that no kind is made for.
func settings() []setting {
	return settingsOf(reflect.TypeFor[config](), "", nil)
}

func settingsOf(t reflect.Type, prefix string, index []int) []setting {
	var all []setting
	for i := range t.NumField() {
		f := t.Field(i)
		path := append(index[:len(index):len(index)], i)
		switch tag := f.Tag.Get("koanf"); {
		case tag == "-":
		case tag == ",squash":
			all = append(all, settingsOf(f.Type, prefix, path)...)
		case f.Type.Kind() == reflect.Struct:
			all = append(all, settingsOf(f.Type, prefix+tag+".", path)...)
		default:
			all = append(all, setting{prefix + tag, kindOf(f.Type, tag), path})
		}
	}
	return all
}

func kindOf(t reflect.Type, tag string) kind {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return kindDuration
	case t == reflect.TypeFor[[]string]():
		return kindList
	case t.Kind() == reflect.String:
		return kindText
	case t.Kind() == reflect.Int && strings.HasSuffix(tag, "-bytes"):
		return kindSize
	case t.Kind() == reflect.Int:
		return kindCount
	}
	panic(fmt.Sprintf("%s: no kind of setting for %s", tag, t))
}

// field returns the field of c that s is about.
func (s setting) field(c *config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(s.index)
}

// env returns the name of the environment variable.
func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.key))
}

// flag returns the name of the flag without dashes. A list is given one by one.
func (s setting) flag() string {
	name := strings.ReplaceAll(s.key, ".", "-")
	if s.kind == kindList {
		name = strings.TrimSuffix(name, "s")
	}
	return name
}

// defaultText returns the default as a user would write it; empty when there
// is none.
func (s setting) defaultText() string {
	d := defaults()
	if s.kind == kindList {
		return ""
	}
	return fmt.Sprint(s.format(s.field(&d).Interface()))
}
