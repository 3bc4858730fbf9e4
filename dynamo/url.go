package dynamo

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

// Scheme begins the URL of a table.
const Scheme = "dynamodb"

var tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

func checkTableName(name string) error {
	if !tableName.MatchString(name) {
		return fmt.Errorf("table name %q: want 3 to 255 letters, digits, '_', '-' and '.'", name)
	}
	return nil
}

// ParseURL reads dynamodb://TABLE?region=REGION&endpoint=URL; both parameters may
// be missing.
func ParseURL(text string) (Config, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Config{}, err
	}
	switch {
	case u.Scheme != Scheme:
		return Config{}, fmt.Errorf("it begins with %q, want %s://", u.Scheme, Scheme)
	case u.User != nil:
		return Config{}, errors.New("credentials do not belong into it: they come from the environment")
	case u.Opaque != "" || u.Path != "" || u.Fragment != "":
		return Config{}, errors.New("something follows the table's name; want dynamodb://TABLE?region=REGION")
	}
	config := Config{Table: u.Host}
	if err := checkTableName(config.Table); err != nil {
		return Config{}, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, err
	}
	for name, values := range query {
		if len(values) != 1 || values[0] == "" {
			return Config{}, fmt.Errorf("%s: want one value", name)
		}
		switch name {
		case "region":
			config.Region = values[0]
		case "endpoint":
			config.Endpoint = values[0]
		default:
			return Config{}, fmt.Errorf("unknown parameter %q; there are region and endpoint", name)
		}
	}
	if config.Endpoint != "" {
		e, err := url.Parse(config.Endpoint)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" {
			return Config{}, fmt.Errorf("endpoint %q: want an http or https URL, such as http://127.0.0.1:8000", config.Endpoint)
		}
	}
	return config, nil
}
