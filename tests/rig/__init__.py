"""What browser and acceptance tests are rigged up with."""
