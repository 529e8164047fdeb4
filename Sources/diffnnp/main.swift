print("diffnnp")
