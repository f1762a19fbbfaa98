// Starts a password reset with the standard net/http, pointed at authreset by the URL alone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"
)

type line struct {
	Call        string  `json:"call"`
	Status      int     `json:"status"`
	OK          bool    `json:"ok"`
	Text        *string `json:"text"`
	Explanation *string `json:"explanation"`
	ErrorType   *string `json:"error_type"`
	Client      string  `json:"client"`
	Version     string  `json:"version"`
}

// ask makes one call and says as a line what came of it; call and ok are left to the caller.
func ask(client *Client, reset ResetRequest) line {
	said := line{Client: "net/http", Version: runtime.Version()}
	response, err := client.ResetPassword(context.Background(), reset)
	if err == nil {
		said.Status, said.Text = http.StatusOK, orNull(response.ResponseText)
		return said
	}
	said.Text, said.ErrorType = orNull(err.Error()), orNull(fmt.Sprintf("%T", err))
	var refused *Error
	if errors.As(err, &refused) {
		said.Status, said.Text = refused.Status, orNull(refused.Text)
		said.Explanation = orNull(refused.Explanation)
	}
	return said
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// asPromised says whether the answer is the one that the contract promises.
func asPromised(expected int, said line) bool {
	if said.Status != expected || said.Text == nil {
		return false
	}
	if expected == http.StatusOK {
		return *said.Text == "Success"
	}
	return said.Explanation != nil
}

func report(call string, expected int, said line) (bool, error) {
	said.Call, said.OK = call, asPromised(expected, said)
	return said.OK, json.NewEncoder(os.Stdout).Encode(said)
}

func settings(names ...string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	for _, name := range names {
		value, found := os.LookupEnv(name)
		if !found {
			return nil, fmt.Errorf("%s is not set", name)
		}
		values[name] = value
	}
	return values, nil
}

func run() (bool, error) {
	given, err := settings("AUTHRESET_BASE_URL", "AUTHRESET_TOKEN", "AUTHRESET_EMAIL",
		"AUTHRESET_ENTRY", "AUTHRESET_ENTRY_TYPE")
	if err != nil {
		return false, err
	}
	entryType, err := strconv.Atoi(given["AUTHRESET_ENTRY_TYPE"])
	if err != nil {
		return false, fmt.Errorf("AUTHRESET_ENTRY_TYPE: %w", err)
	}
	connect := func(token string) *Client {
		patient := &http.Client{Timeout: 20 * time.Second}
		return &Client{BaseURL: given["AUTHRESET_BASE_URL"], Token: token, HTTP: patient}
	}
	known, stranger := connect(given["AUTHRESET_TOKEN"]), connect("o.never-issued")
	address := ResetRequest{given["AUTHRESET_EMAIL"], given["AUTHRESET_ENTRY"], &entryType}
	return all([]call{
		{"empty", http.StatusOK, known, ResetRequest{}},
		{"address", http.StatusOK, known, address},
		{"refused_token", http.StatusUnauthorized, stranger, ResetRequest{}},
		{"bad_email", http.StatusBadRequest, known, ResetRequest{Email: "not-an-address"}},
	})
}

type call struct {
	name     string
	expected int
	client   *Client
	reset    ResetRequest
}

// all makes every call, also after one that went wrong.
func all(calls []call) (bool, error) {
	good := true
	for _, each := range calls {
		ok, err := report(each.name, each.expected, ask(each.client, each.reset))
		if err != nil {
			return false, err
		}
		good = good && ok
	}
	return good, nil
}

func main() {
	ok, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}
