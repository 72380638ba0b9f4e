"""SageMaker project templates that this repository did not write: `python -m rehearsal up --template FILE`.

They are published and launched as AWS says for custom project templates, by the same people and through the same calls
as on AWS: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html
"""
