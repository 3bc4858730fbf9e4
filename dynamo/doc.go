// Package dynamo is the store on DynamoDB.
package dynamo
