// PolicyAPI
