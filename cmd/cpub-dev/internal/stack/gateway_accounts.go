package stack

import "github.com/versity/versitygw/auth"

// accounts knows the root account alone. It differs from the library's own in
// what it says of an access key that it does not know: clients are told what
// AWS tells them (403, InvalidAccessKeyId), not that an object is missing.
type accounts struct {
	auth.IAMService
	root string // the access key of the root account
}

// newAccounts returns the accounts of a gateway.
func newAccounts(conf gatewayConfig) accounts {
	root := auth.Account{Access: conf.AccessKey, Secret: conf.SecretKey, Role: auth.RoleAdmin}
	return accounts{IAMService: auth.NewIAMServiceSingle(root), root: conf.AccessKey}
}

// GetUserAccount returns the root account, or auth.ErrNoSuchUser.
func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	if access != a.root {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return a.IAMService.GetUserAccount(access)
}
