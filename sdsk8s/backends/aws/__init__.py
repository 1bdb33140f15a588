"""The only place that imports boto3: buckets and other services with Amazon's interfaces."""
