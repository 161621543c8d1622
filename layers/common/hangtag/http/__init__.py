"""What the admin and the desk API share: who is asking, what is an error, how a list is paged. Not for the webhook."""
